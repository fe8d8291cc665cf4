"""The running service: its processes on both instance files, its queue, retries, freshness and old runs."""

import subprocess
import sys
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from secscore_pipeline.clock import utc_now
from secscore_pipeline.config.feeds import Feed, read_feeds
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.definitions import build_definitions, defs
from secscore_pipeline.defs import metadata as tables
from secscore_pipeline.defs.maintenance import delete_runs, maintain
from secscore_pipeline.defs.metadata import RETRIES
from secscore_pipeline.defs.resources import WarehouseResource
from secscore_pipeline.defs.schedules import add_freshness_policy, build_schedules
from secscore_pipeline.emulator.faults import Fault, Kind
from secscore_pipeline.emulator.world import World
from secscore_pipeline_tests.conftest import of_files, resources_of_environment
from testbed.postgresql import USER
from testbed.serving import ROOT, Service
from testbed.waiting import awaited

HEARD = dg.AssetCheckKey(dg.AssetKey("speech"), "heard")
LAUNCH = """mutation {launchRun(executionParams: {runConfigData: {}, selector: {jobName: "sync",
repositoryLocationName: "secscore_pipeline", repositoryName: "__repository__"}})
{__typename ... on Error {message}}}"""
FRESHNESS = """{assetNodes {assetKey {path} internalFreshnessPolicy {__typename}
freshnessStatusInfo {freshnessStatus}}}"""


@pytest.fixture
def postgres(postgres_server):
    """Return the URL of an empty database of Dagster's own."""
    return f"postgresql+psycopg2://{USER}@127.0.0.1:{postgres_server.port}/{postgres_server.new_database()}"


@pytest.fixture
def service(store, tmp_path):
    """Start the service on an instance file and a local Azure."""
    with ExitStack() as stack:

        def start(instance_file, azure, **more):
            running = Service(stack, tmp_path, instance_file, {**azure.settings(), **store.settings, **more})
            running.serve()
            return running

        yield start


def two_runs_one_after_the_other(service, store):
    launched = [service.query(LAUNCH)["launchRun"] for _ in range(2)]
    assert launched == [{"__typename": "LaunchRunSuccess"}] * 2
    runs = awaited(service.runs, lambda found: all(run["status"] in ("SUCCESS", "FAILURE") for run in found))
    assert [run["status"] for run in runs] == ["SUCCESS"] * 2
    first, second = sorted(runs, key=lambda run: run["startTime"])
    assert second["startTime"] >= first["endTime"]
    assert store.one("select count(distinct run_id) from raw.fetches") == 2


@of_files  # a cluster serves a lake
def test_on_one_machine_two_runs_go_one_after_the_other(local_azure, store, service):
    running = service("dagster.yaml", local_azure(World(subscriptions=2)))
    two_runs_one_after_the_other(running, store)
    judged = awaited(
        lambda: running.query(FRESHNESS)["assetNodes"],
        lambda nodes: all((node["freshnessStatusInfo"] or {}).get("freshnessStatus") == "HEALTHY" for node in nodes),
    )
    assert {node["internalFreshnessPolicy"]["__typename"] for node in judged} == {"TimeWindowFreshnessPolicy"}


@of_files  # a cluster serves a lake
def test_on_a_server_the_history_of_runs_is_in_postgresql(local_azure, store, service, postgres):
    running = service("deploy/dagster.yaml", local_azure(World(subscriptions=2)), DAGSTER_POSTGRES_URL=postgres)
    two_runs_one_after_the_other(running, store)
    assert not list((Path(running.environment["DAGSTER_HOME"])).rglob("runs.db"))


def test_run_says_how_it_is_used():
    done = subprocess.run([str(ROOT / "deploy" / "run")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.split(maxsplit=1)[0]) == (2, "usage:")


def run_unattended(instance):
    """Run the job as a schedule would, with hardly a wait between two tries."""
    impatient = dg.define_asset_job("impatient")
    definitions = dg.Definitions(
        assets=defs.assets, asset_checks=defs.asset_checks, jobs=[impatient],
        resources=resources_of_environment(),
        executor=dg.in_process_executor,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tables, "RETRIES", RETRIES._replace(delay=0.01))
        return definitions.resolve_job_def("impatient").execute_in_process(instance=instance, raise_on_error=False)


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}) as ephemeral:
        yield ephemeral


def test_what_may_pass_is_tried_again_and_what_may_not_is_not(local_azure, store, instance):
    azure = local_azure(World(subscriptions=1))
    store.use(azure, SECSCORE_EVENT_TYPES="secure_scores")
    azure.faults.append(Fault(Kind.STATUS, path="securescores", status=400, times=1))
    result = run_unattended(instance)
    assert result.success
    assert sum(event.event_type_value == "STEP_UP_FOR_RETRY" for event in result.all_events) == 1
    assert store.query("select outcome from raw.fetches") == [("complete",)]  # what the second try read
    assert store.one("select count(*) from ocsf.assessment_findings") == 1
    store.use(azure, AZURE_CLIENT_SECRET="wrong-" + "x" * 20)
    result = run_unattended(instance)
    assert not result.success
    assert not [event for event in result.all_events if event.event_type_value == "STEP_UP_FOR_RETRY"]


def test_nobody_who_waits_for_a_run_waits_for_its_retries(local_azure, store):
    azure = local_azure(World(subscriptions=1))
    store.use(azure, SECSCORE_EVENT_TYPES="secure_scores")
    azure.faults.append(Fault(Kind.STATUS, path="securescores", status=400, times=1))
    result = store.sync(succeeds=False)
    assert not [event for event in result.all_events if event.event_type_value == "STEP_UP_FOR_RETRY"]


def test_old_runs_are_forgotten_and_new_ones_kept(local_azure, store, instance):
    store.use(local_azure(World(subscriptions=1)), SECSCORE_RUN_RETENTION_DAYS="30")
    first = run_unattended(instance)
    assert defs.resolve_job_def("forget_old_runs").execute_in_process(instance=instance).success
    assert instance.has_run(first.run_id)
    assert delete_runs(instance, utc_now() + timedelta(seconds=1)) >= 1
    assert not instance.has_run(first.run_id)
    assert store.one("select count(*) from raw.fetches") > 0


def test_the_upkeep_lets_go_of_old_looks_and_keeps_the_store_small(local_azure, store, instance):
    azure = local_azure(World(subscriptions=1))
    store.use(azure)
    store.sync()
    store.sync()
    store.write("update raw.fetches set observed_at = observed_at - interval 40 day")
    store.sync()
    store.use(azure, SECSCORE_RETENTION_DAYS="30")
    assert maintained(store, instance).success
    # Of the two old ones the newer stays: the first look that is kept is compared with it.
    assert store.one("select count(distinct run_id) from raw.fetches") == 2
    store.use(azure, SECSCORE_RETENTION_DAYS="soon")
    (failed,) = (event for event in maintained(store, instance).all_events if event.is_step_failure)
    said = failed.step_failure_data.user_failure_data.description
    assert "SECSCORE_RETENTION_DAYS (4 characters) is not a whole number of days" in said


def maintained(store, instance):
    used = {"warehouse": WarehouseResource.of(store.warehouse)}
    return maintain.execute_in_process(instance=instance, resources=used, raise_on_error=False)


def test_nothing_of_a_forgotten_run_stays_on_the_disk(tmp_path):
    @dg.asset(check_specs=[dg.AssetCheckSpec("heard", asset="speech")])
    def speech():
        sys.stdout.write("something to keep\n")
        yield dg.MaterializeResult()
        yield dg.AssetCheckResult(passed=True)

    speaking = dg.Definitions(assets=[speech], jobs=[dg.define_asset_job("speaking")]).resolve_job_def("speaking")

    def left(run_id):
        return [file for file in tmp_path.rglob("*") if run_id in str(file)]

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        old = speaking.execute_in_process(instance=instance)
        between = utc_now()
        new = speaking.execute_in_process(instance=instance)
        kept = left(new.run_id)
        assert {file.suffix for file in left(old.run_id)} >= {".db", ".out"}
        assert delete_runs(instance, between) == 1
        assert left(old.run_id) == []
        assert left(new.run_id) == kept
        checked = instance.event_log_storage.get_asset_check_execution_history(HEARD, limit=5)
        assert [execution.run_id for execution in checked] == [new.run_id]
        assert instance.all_logs(new.run_id)


def test_schedules_follow_the_settings(monkeypatch):
    monkeypatch.setenv("SECSCORE_SCHEDULE", "30 6 * * 1-5")
    monkeypatch.setenv("SECSCORE_TIMEZONE", "Europe/Berlin")
    monkeypatch.setenv("SECSCORE_SCHEDULES", "on")
    feeds = read_feeds()
    schedule, *upkeep = build_schedules(feeds)
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 6 * * 1-5", "Europe/Berlin")
    assert {one.default_status for one in (schedule, *upkeep)} == {dg.DefaultScheduleStatus.RUNNING}
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_schedule_context(instance, repository_def=build_definitions(feeds).get_repository_def()) as context,
    ):
        (request,) = schedule.evaluate_tick(context).run_requests
    assert request.tags.items() >= {"secscore/started_by": "schedule", "secscore/feed": "default"}.items()


@pytest.mark.parametrize(
    ("setting", "text"),
    [("SECSCORE_SCHEDULE", "daily"), ("SECSCORE_TIMEZONE", "Mars"), ("SECSCORE_SCHEDULES", "maybe")],
)
def test_a_schedule_that_cannot_be_read_is_explained(monkeypatch, setting, text):
    monkeypatch.setenv(setting, text)
    with pytest.raises(SettingsError, match=rf"{setting} \({len(text)} characters\)"):
        build_schedules(read_feeds())


@pytest.mark.parametrize(("cron", "warn_hours"), [("0 * * * *", 2), ("0 5 * * *", 25), ("0 5 * * 1-5", 73)])
def test_what_is_fresh_follows_the_schedule(cron, warn_hours):
    (asset,) = add_freshness_policy([next(iter(defs.assets or []))], [Feed(schedule=cron)])
    (policy,) = {spec.freshness_policy for spec in asset.specs}
    assert policy.warn_window.to_timedelta() == timedelta(hours=warn_hours)
    assert policy.fail_window.to_timedelta() == timedelta(hours=2 * warn_hours - 1)
    assert RETRIES.max_retries == 2
