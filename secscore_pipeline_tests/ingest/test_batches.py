"""Batches: subscriptions dealt into runs of their own, that together are one round."""

import uuid
from datetime import datetime
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, WILL_RETRY_TAG

from secscore_pipeline.azure.errors import AzureError
from secscore_pipeline.clock import utc_now
from secscore_pipeline.config.feeds import read_feeds
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.storage import read_parallel_runs
from secscore_pipeline.definitions import build_definitions
from secscore_pipeline.defs.assets.ocsf import FINDINGS
from secscore_pipeline.defs.partitions import BY_HAND
from secscore_pipeline.defs.schedules import list_batches
from secscore_pipeline.emulator.faults import Fault, Kind
from secscore_pipeline.emulator.world import State, World
from secscore_pipeline.ingest.batches import Batch, split_into_batches
from secscore_pipeline_tests.conftest import secscore
from secscore_pipeline_tests.support.runs import instance_and_job, metadata_of, try_again

IDS = [str(uuid.UUID(int=number)) for number in range(10_000)]


@pytest.mark.parametrize("size", [1, 7, 100, 5_000, 10_000, 20_000])
def test_every_subscription_is_in_one_batch(size):
    ids = IDS[: size * 40]
    batches = split_into_batches("default", ids, size)
    takers = [sum(batch.takes(one) for batch in batches) for one in ids]
    assert set(takers) == {1}
    count = batches[0].count
    assert count * size >= len(ids) > (count // 2) * size or count == 1
    assert [Batch.of(batch.key) for batch in batches] == batches


def test_more_subscriptions_split_batches_and_move_nothing_else():
    few, many = split_into_batches("default", IDS[:400], 100), split_into_batches("default", IDS[:800], 100)
    assert (few[0].count, many[0].count) == (4, 8)
    for one in IDS[:400]:
        before, after = (next(batch for batch in batches if batch.takes(one)) for batches in (few, many))
        assert after.number in (before.number, before.number + 4)


@pytest.fixture
def dealt_world(local_azure, store):
    """A world of nine subscriptions, one forbidden, read in batches of three."""
    world = World(subscriptions=8)
    world.add_subscription("00000000-0000-0000-0000-000000000001", State.FORBIDDEN)
    azure = local_azure(world)
    store.use(azure, SECSCORE_BATCH_SIZE="3", AZURE_SUBSCRIPTION_IDS="*")
    return azure


@pytest.mark.slow
def test_the_command_line_reads_batch_by_batch_and_views_see_one_round(dealt_world, store, tmp_path):
    env = {**dealt_world.settings(), **store.settings, "SECSCORE_BATCH_SIZE": "3", "AZURE_SUBSCRIPTION_IDS": "*"}
    for _ in range(2):
        done = secscore("sync", cwd=tmp_path, env=env)
    batches = len(split_into_batches("default", dealt_world.world.subscriptions, 3))
    assert done.stdout.count("Batch default.") == batches
    assert all(
        one in done.stdout for one, held in dealt_world.world.subscriptions.items() if held.state is State.NORMAL
    )
    rounds = "select count(distinct sync_id), count(distinct run_id) > 2, count(*) from raw.fetches"
    assert store.query(rounds) == [(2, True, 2 * 2 * 9)]
    assert store.query("select count(*), bool_and(is_in_scope) from posture.coverage") == [(18, True)]
    listings = "select count(*), count(distinct sync_id), min(subscriptions) from raw.listings"
    assert store.query(listings) == [(2, 2, 9)]
    lists = ("/subscriptions", "/descendants")
    asked = sum(count for path, count in dealt_world.requests.items() if path.endswith(lists))
    assert asked == 2 * (1 + batches + 1)  # to deal the batches; by each of them; the groups above, once a round
    assert store.one("select count(*) from posture.current_scores") == 8
    assert store.one("select count(*) from (select metadata.uid from ocsf.assessment_findings group by all "
                     "having count(*) > 1)") == 0  # fmt: skip
    status = secscore("status", cwd=tmp_path, env=env, check=1)
    assert "1 of 9 subscriptions" in status.stdout
    one = {**env, "SECSCORE_BATCH_SIZE": ""}
    secscore("sync", cwd=tmp_path, env=one)
    tenant = "select max(subscriptions) from posture.tenant_score where lower(score) = 'ascscore'"
    assert store.one(tenant) == 8


@pytest.mark.slow
def test_a_batch_that_fails_costs_itself_only(dealt_world, store, tmp_path):
    env = {**dealt_world.settings(), **store.settings, "SECSCORE_BATCH_SIZE": "3", "AZURE_SUBSCRIPTION_IDS": "*"}
    lost = split_into_batches("default", dealt_world.world.subscriptions, 3)[0]
    struck = [one for one in dealt_world.world.subscriptions if lost.takes(one)]
    for one in struck:
        dealt_world.faults.append(Fault(Kind.STATUS, path=one, status=400))
    done = secscore("sync", cwd=tmp_path, env=env, check=3)
    assert "could be read" in done.stderr
    assert "Traceback" not in done.stderr
    assert store.one("select count(*) from posture.current_scores") == 8 - sum(
        dealt_world.world.subscriptions[one].state is State.NORMAL for one in struck
    )


@pytest.mark.slow
def test_a_tick_makes_a_run_for_each_batch_and_their_end_one_that_shows_them(dealt_world, store, tmp_path):
    feeds = read_feeds()
    definitions = build_definitions(feeds)
    repository = definitions.get_repository_def()
    with dg.DagsterInstance.local_temp(str(tmp_path), {"telemetry": {"enabled": False}}) as instance:
        schedule = repository.get_schedule_def("sync_schedule")
        with dg.build_schedule_context(
            instance, repository_def=repository, scheduled_execution_time=utc_now()
        ) as context:
            requests = schedule.evaluate_tick(context).run_requests
        assert [request.partition_key for request in requests] == [
            batch.key for batch in split_into_batches("default", dealt_world.world.subscriptions, 3)
        ]
        assert len({request.tags["secscore/sync"] for request in requests}) == 1
        sensor = repository.get_sensor_def("completed_syncs")

        def asked_for():
            with dg.build_sensor_context(instance, repository_def=repository) as sensing:
                return sensor.evaluate_tick(sensing).run_requests

        *most, last = requests
        for request in most:
            read = run_it(definitions, instance, request)
        assert not asked_for()
        waiting = instance.create_run_for_job(
            definitions.resolve_job_def("sync"), tags={**last.tags, "dagster/partition": last.partition_key},
            asset_selection=frozenset(last.asset_selection),
        )  # fmt: skip
        assert not asked_for()
        instance.add_run_tags(waiting.run_id, {WILL_RETRY_TAG: "true"})
        instance.report_run_failed(waiting)
        assert not asked_for()
        instance.add_run_tags(waiting.run_id, {AUTO_RETRY_RUN_ID_TAG: "the run that did it again"})
        (shows,) = asked_for()
        assert "posture/report" in {key.to_user_string() for key in shows.asset_selection}
        shown = run_it(definitions, instance, shows)
        assert shown.success
        numbers = {"scores", "score_percent"}
        assert numbers <= metadata_of(shown, dg.AssetKey(["posture", "database"])).keys()
        assert not numbers & metadata_of(read, FINDINGS).keys()
        assert store.one("select count(distinct sync_id) from raw.fetches") == 1
        assert run_it(definitions, instance, last).success  # somebody has the batch that failed done again
        (shows_again,) = asked_for()
        assert shows_again.run_key != shows.run_key


@pytest.mark.slow
def test_a_tick_that_cannot_list_the_subscriptions_deals_them_as_before(dealt_world, tmp_path):
    repository = build_definitions(read_feeds()).get_repository_def()
    schedule = repository.get_schedule_def("sync_schedule")
    with dg.DagsterInstance.local_temp(str(tmp_path), {"telemetry": {"enabled": False}}) as instance:

        def ticked():
            with dg.build_schedule_context(
                instance, repository_def=repository, scheduled_execution_time=NIGHT
            ) as context:
                return [(one.partition_key, one.run_key) for one in schedule.evaluate_tick(context).run_requests]

        dealt_world.faults.append(Fault(Kind.STATUS, path="/subscriptions$", status=400))
        with pytest.raises(AzureError, match="azure-failing"):
            ticked()  # nothing is known from before
        dealt_world.faults.clear()
        before = ticked()
        assert before[0][1].startswith("default/2026-10-25T00:30Z/")
        dealt_world.faults.append(Fault(Kind.STATUS, path="/subscriptions$", status=400))
        assert ticked() == before


NIGHT = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
"""The first of two half past two of a night."""


@pytest.mark.slow
def test_a_batch_that_is_started_by_hand_belongs_to_the_round_before(dealt_world, store, tmp_path):
    env = {**dealt_world.settings(), **store.settings, "SECSCORE_BATCH_SIZE": "3", "AZURE_SUBSCRIPTION_IDS": "*"}
    secscore("sync", cwd=tmp_path, env=env)
    scores = store.one("select count(*) from posture.coverage where is_in_scope")
    tried_twice(str)
    assert store.one("select count(distinct sync_id) from raw.fetches") == 1
    assert store.one("select count(*) from posture.coverage where is_in_scope") == scores


def run_it(definitions, instance, request):
    return definitions.resolve_job_def("sync").execute_in_process(
        instance=instance, partition_key=request.partition_key, asset_selection=request.asset_selection,
        tags=request.tags, run_config={"loggers": {"plain": {}}}, raise_on_error=False,
    )  # fmt: skip


@pytest.mark.slow
def test_a_run_that_is_tried_again_stores_nothing_twice(dealt_world, store):
    requests = []

    def between():
        requests.append(sum(dealt_world.requests.values()))

    first, again = tried_twice(between)
    assert first.success
    assert again.is_success
    assert sum(dealt_world.requests.values()) - requests[0] < 10  # the subscriptions are listed, and not read again
    assert store.one("select count(distinct run_id) from raw.fetches") == 1


@pytest.mark.slow
def test_a_run_that_could_read_nothing_reads_when_it_is_tried_again(dealt_world, store):
    dealt_world.faults.append(Fault(Kind.STATUS, path="securescores", status=400))
    first, again = tried_twice(dealt_world.faults.clear)
    assert not first.success
    assert again.is_success
    assert store.query("select distinct outcome from raw.fetches") == [("complete",)]
    assert store.one("select count(distinct run_id) from raw.fetches") == 1
    assert store.one("select count(*) from ocsf.assessment_findings") > 0


def tried_twice(between):
    """Run a batch, and then again as Dagster does by itself or when somebody asks for it; return both runs."""
    with instance_and_job() as (instance, job):
        batch = list_batches(read_feeds()[0], instance)[0]
        first = job.execute_in_process(instance=instance, partition_key=batch.key, tags=BY_HAND, raise_on_error=False)
        between()
        tags = {**first.dagster_run.tags, "dagster/partition": batch.key}
        return first, try_again(instance, job, first.run_id, tags)


def test_several_runs_at_once_take_a_lake(monkeypatch):
    monkeypatch.setenv("SECSCORE_PARALLEL_RUNS", "4")
    with pytest.raises(SettingsError, match="runs-in-parallel"):
        read_parallel_runs()
    monkeypatch.setenv("SECSCORE_DATABASE", "ducklake:postgres:dbname=lake")
    assert read_parallel_runs() == 4
