"""Silence: what a complete sync is and how old it is, as a check, a heartbeat and metrics tell it."""

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import dagster as dg
import duckdb
import pytest
import yaml

from secscore_pipeline.alerts.events import check_last_sync
from secscore_pipeline.alerts.metrics import _MEANINGS, MARK, MetricsError, Sample, render, write_metrics
from secscore_pipeline.cli.monitoring import parse_age
from secscore_pipeline.config.feeds import Feed, read_feeds
from secscore_pipeline.definitions import build_definitions as build_definitions
from secscore_pipeline.defs.assets.posture import DATABASE
from secscore_pipeline.defs.partitions import PUBLISHES, SYNC
from secscore_pipeline.emulator.faults import Fault, Kind
from secscore_pipeline.emulator.world import State, World
from secscore_pipeline.posture.freshness import FeedFreshness, get_overdue_age, read_freshness
from secscore_pipeline.warehouse.schema import make_schema
from secscore_pipeline_tests.conftest import of_files, secscore

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
TYPES = ("secure_scores", "secure_score_controls")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "alerts.md"


class Fetches:
    """A database with the tables alone, and fetches put into it."""

    def __init__(self):
        self.connection = duckdb.connect(":memory:")
        make_schema(self.connection)
        self.numbers = count(1)

    def add(self, sync_id, hours_ago, outcomes, *, types=TYPES, feed="default", in_scope=None, run_id=None):
        """Add a sync: the outcome of each subscription."""
        at = NOW - timedelta(hours=hours_ago)
        row = """insert into raw.fetches by name select $fetch_id as fetch_id, $run_id as run_id, 't' as tenant_id,
            $subscription as subscription_id, $kind as event_type, $at as started_at, $at as finished_at,
            $outcome as outcome, 1 as pages, 1 as records, [] as request_ids, 'x' as arm_endpoint,
            'AzureCloud' as cloud_partition, $at as stored_at, $at as observed_at, $feed as feed,
            $sync_id as sync_id, $in_scope as subscriptions_in_scope"""
        for subscription, outcome in outcomes.items():
            for kind in types:
                self.connection.execute(
                    row,
                    {
                        "fetch_id": next(self.numbers), "run_id": run_id or sync_id, "subscription": subscription,
                        "kind": kind, "at": at, "outcome": outcome, "feed": feed, "sync_id": sync_id,
                        "in_scope": len(outcomes) if in_scope is None else in_scope,
                    },
                )  # fmt: skip

    def last_complete(self, *feeds):
        (found,) = read_freshness(self.connection, feeds or (Feed(),))
        return found.last_complete_sync_id


@pytest.fixture
def fetches():
    return Fetches()


GOOD = {"a": "complete", "b": "no_score"}


def test_a_sync_is_complete_when_each_subscription_was_read_for_each_event_type(fetches, monkeypatch):
    assert fetches.last_complete() is None
    fetches.add("first", 100, GOOD)
    assert fetches.last_complete() == "first"
    for number, outcome in enumerate(("failed", "forbidden", "throttled", "not_found", "disabled", "not_registered")):
        fetches.add(f"gap-{number}", 90 - number, {**GOOD, "c": outcome})
    fetches.add("half", 60, GOOD, types=TYPES[:1])
    fetches.add("uneven", 59, {"a": "complete"}, types=TYPES[:1], in_scope=0)
    fetches.add("uneven", 59, {"a": "complete", "b": "complete"}, types=TYPES[1:], in_scope=0)
    assert fetches.last_complete() == "first"
    monkeypatch.setenv("SECSCORE_EVENT_TYPES", "secure_scores")
    assert fetches.last_complete() == "uneven"  # as long as nothing else is configured
    monkeypatch.delenv("SECSCORE_EVENT_TYPES")
    fetches.add("last", 1, GOOD)
    assert fetches.last_complete() == "last"


def test_a_sync_of_batches_is_complete_when_all_of_them_were_read_once_again_if_need_be(fetches):
    fetches.add("round", 9, {"a": "complete"}, in_scope=3, run_id="batch-1")
    assert fetches.last_complete() is None
    fetches.add("round", 8, {"b": "failed", "c": "complete"}, in_scope=3, run_id="batch-2")
    assert fetches.last_complete() is None
    fetches.add("round", 7, {"b": "complete", "c": "complete"}, in_scope=3, run_id="batch-2-by-hand")
    assert fetches.last_complete() == "round"
    fetches.add("round", 6, {"a": "failed"}, in_scope=3, run_id="batch-1-by-hand")
    assert fetches.last_complete() is None


def test_a_subscription_that_comes_or_goes_between_two_batches_makes_no_sync_incomplete(fetches):
    fetches.add("round", 9, {"a": "complete", "b": "complete"}, in_scope=4)
    fetches.add("round", 8, {"c": "complete"}, in_scope=3)
    assert fetches.last_complete() == "round"


def test_fetches_of_older_versions_count_by_their_outcomes(fetches):
    fetches.add("old", 9, GOOD)
    fetches.connection.execute("update raw.fetches set subscriptions_in_scope = null")
    assert fetches.last_complete() == "old"


def test_each_feed_counts_by_itself(fetches):
    fetches.add("a-1", 9, GOOD, feed="a")
    fetches.add("b-1", 8, {"x": "failed"}, feed="b")
    fetches.add("gone-1", 7, GOOD, feed="gone")
    found = read_freshness(fetches.connection, [Feed(name="b"), Feed(name="a"), Feed(name="c")])
    assert [(feed.feed, feed.last_complete_sync_id) for feed in found] == [("b", None), ("a", "a-1"), ("c", None)]


def fresh(hours_ago):
    at = NOW - timedelta(hours=hours_ago)
    return FeedFreshness("default", at, at, "sync")


def test_an_age_is_never_negative_and_the_future_is_not_fresh():
    day = timedelta(hours=26)
    assert fresh(26).problem(day, NOW) is None
    assert "26 hours ago" in fresh(26.1).problem(day, NOW)
    assert "3 days ago" in fresh(75).problem(day, NOW)
    assert fresh(-0.5).age(NOW) == timedelta(0)  # the clocks of two machines
    assert fresh(-2).age(NOW) is None
    assert "yet to come" in fresh(-24 * 365).problem(day, NOW)
    assert "never read." in FeedFreshness("default").problem(day, NOW)
    assert "never read completely" in FeedFreshness("default", NOW).problem(day, NOW)


def test_after_a_sync_from_the_future_the_next_one_counts_again(fetches):
    fetches.add("a year ahead", -24 * 365, GOOD)
    (found,) = read_freshness(fetches.connection, [Feed()])
    assert found.is_from_the_future(NOW)
    fetches.add("now", 1, GOOD)
    fetches.connection.execute("update raw.fetches set observed_at = timestamptz '2027-11-27'")
    (found,) = read_freshness(fetches.connection, [Feed()])
    assert found.age(NOW) == timedelta(hours=1)


def test_a_feed_is_overdue_by_its_schedule():
    assert get_overdue_age(Feed()) == timedelta(hours=26)
    assert get_overdue_age(Feed(schedule="0 5 * * 1-5")) == timedelta(hours=74)
    assert get_overdue_age(Feed(schedule="0 * * * *")) == timedelta(hours=3)


def test_an_overdue_sync_is_told_three_times_and_one_that_never_was_from_the_first_tick_on():
    day, begun = timedelta(hours=26), NOW - timedelta(days=60)

    def keys(feed, begun=begun):
        told = (check_last_sync(feed, day, begun, NOW + timedelta(hours=hours)) for hours in range(24 * 60))
        return list(dict.fromkeys(alert.key for alert in told if alert))

    last = f"{NOW - timedelta(hours=25):%Y-%m-%dT%H:%M:%SZ}"
    assert keys(fresh(25)) == [f"sync_overdue/default/{last}/{days}" for days in (0, 7, 30)]
    assert keys(FeedFreshness("default"), NOW) == [f"sync_overdue/default/never/{days}" for days in (0, 7, 30)]
    assert check_last_sync(FeedFreshness("default"), day, NOW - timedelta(hours=25), NOW) is None
    assert "yet to come" in check_last_sync(fresh(-48), day, begun, NOW).title


@pytest.mark.parametrize(
    ("given", "age"),
    [("26h", timedelta(hours=26)), ("90m", timedelta(minutes=90)), ("2d", timedelta(days=2)), ("1w", timedelta(7))],
)
def test_an_age_is_a_number_and_a_unit(given, age):
    assert parse_age(given) == age


@pytest.mark.parametrize("given", ["26", "h", "0h", "-1h", "1.5h", "26 h", "٢h", "9999999d", "26h; rm", ""])
def test_what_is_no_age_is_unknown_to_a_monitoring_system(given, tmp_path):
    with pytest.raises(ValueError, match="Write a number"):
        parse_age(given)


@pytest.fixture
def synced(local_azure, store, tmp_path, receiver):
    """Return a local Azure of three subscriptions and the settings for it, with a heartbeat and metrics."""
    azure = local_azure(World(subscriptions=3))
    env = {
        **azure.settings(),
        **store.settings,
        "SECSCORE_HEARTBEAT_URL": f"{receiver.url}/beat-mark/{{feed}}",
        "SECSCORE_METRICS_FILE": str(tmp_path / "secscore.prom"),
    }
    return azure, env


def check(tmp_path, env, *arguments, code):
    return secscore("status", "--max-age", *arguments, cwd=tmp_path, env=env, check=code).stdout


def metrics(tmp_path):
    """Return the values of a metrics file by name and labels; every line must be one that Prometheus reads."""
    values, described = {}, set()
    text = (tmp_path / "secscore.prom").read_text()
    assert text.startswith(MARK)
    assert text.endswith("\n")
    for line in text.splitlines()[1:]:
        if comment := re.fullmatch(r"# (HELP|TYPE) ([a-z_]+) (.+)", line):
            described.add((comment[1], comment[2]))
            continue
        label = r'[a-z_]+="(?:[^"\\\n]|\\[\\n"])*"'
        sample = re.fullmatch(rf"([a-z_]+)(?:{{({label}(?:,{label})*)}})? ([-+0-9.e]+)", line)
        assert sample, line
        assert {("HELP", sample[1]), ("TYPE", sample[1])} <= described
        assert (sample[1], sample[2]) not in values
        values[sample[1], sample[2]] = float(sample[3])
    return values


@pytest.mark.slow
def test_a_complete_sync_is_fresh_sends_a_heartbeat_and_writes_metrics(synced, store, tmp_path, receiver):
    azure, env = synced
    begun = datetime.now(UTC).timestamp()
    done = secscore("sync", cwd=tmp_path, env=env)
    assert receiver.paths() == ["/beat-mark/default"]
    assert "mark" not in done.stdout + done.stderr
    first, *others = check(tmp_path, env, "26h", code=0).splitlines()
    assert re.fullmatch(
        r"SECSCORE OK - the last complete sync was \d minutes ago \| 'age default'=\d+s;;93600;0 "
        r"'not read default'=0;0;;0;3 'database size'=\d+B;;;0",
        first,
    )
    assert others == []
    values = metrics(tmp_path)
    assert (tmp_path / "secscore.prom").stat().st_mode & 0o777 == 0o644
    of_feed = 'feed="default"'
    for name in ("last_complete_sync", "last_attempt"):
        assert begun - 1 < values[f"secscore_{name}_timestamp_seconds", of_feed] < datetime.now(UTC).timestamp() + 1
    assert values["secscore_failed_fetches", of_feed] == 0
    assert values["secscore_subscriptions", f'{of_feed},event_type="secure_scores",outcome="complete"'] == 3
    assert values["secscore_database_size_bytes", None] == store.warehouse.published_size()
    (ratio,) = [value for (name, _), value in values.items() if name == "secscore_score_ratio"]
    assert 0 < ratio <= 1

    next(iter(azure.world.subscriptions.values())).state = State.FORBIDDEN
    secscore("sync", cwd=tmp_path, env=env)
    assert receiver.paths() == ["/beat-mark/default"]
    warned = check(tmp_path, env, "26h", code=1)
    assert "SECSCORE WARNING - 1 of 3 subscriptions" in warned
    shown = json.loads(check(tmp_path, env, "1s", "--json", code=2))
    assert (shown["state"], shown["exit_code"], shown["max_age_seconds"]) == ("CRITICAL", 2, 1)
    assert shown["freshness"][0]["age_seconds"] >= 1
    after = metrics(tmp_path)
    complete = ("secscore_last_complete_sync_timestamp_seconds", of_feed)
    assert after[complete] == values[complete]
    assert after["secscore_failed_fetches", of_feed] == 2
    assert after["secscore_subscriptions", f'{of_feed},event_type="secure_scores",outcome="forbidden"'] == 1


@pytest.mark.slow
@of_files
def test_a_sync_from_the_future_is_critical(synced, store, tmp_path):
    _, env = synced
    secscore("sync", cwd=tmp_path, env=env)
    store.write("update raw.fetches set finished_at = finished_at + interval 1 year")
    store.warehouse.publish()
    told = check(tmp_path, env, "26h", code=2)
    assert re.match(r"SECSCORE CRITICAL - The last complete sync of the feed default is dated .* yet to come", told)
    assert "'age default'=U;;93600;0" in told
    assert "yet to come" in secscore("status", cwd=tmp_path, env=env, check=1).stdout


@pytest.mark.slow
def test_a_run_that_reads_nothing_writes_metrics_too_and_sends_no_heartbeat(synced, tmp_path, receiver):
    _, env = synced
    wrong = {**env, "AZURE_CLIENT_SECRET": "wrong-" + "x" * 20}
    secscore("sync", cwd=tmp_path, env=wrong, check=1)
    values = metrics(tmp_path)
    assert values["secscore_last_complete_sync_timestamp_seconds", 'feed="default"'] == 0
    assert values["secscore_last_attempt_timestamp_seconds", 'feed="default"'] > 1.7e9
    assert receiver.paths() == []


@pytest.mark.slow
@of_files
def test_a_heartbeat_that_does_not_arrive_fails_no_run(synced, tmp_path, receiver):
    _, env = synced
    receiver.faults = [(302, {"Location": f"{receiver.url}/elsewhere"}, b"")]
    done = secscore("sync", cwd=tmp_path, env=env)
    assert "The heartbeat's receiver answered 302." in done.stderr
    assert "[heartbeat-failing]" in done.stderr
    assert "mark" not in done.stdout + done.stderr
    assert receiver.paths() == ["/beat-mark/default"]
    elsewhere = {**env, "SECSCORE_HEARTBEAT_URL": "http://hooks.example.com/beat-mark"}
    done = secscore("sync", cwd=tmp_path, env=elsewhere, check=2)
    assert "SECSCORE_HEARTBEAT_URL is no https URL" in done.stderr
    assert "mark" not in done.stderr


@pytest.mark.slow
def test_batches_send_one_heartbeat_for_a_whole_round_and_none_for_a_part(synced, tmp_path, receiver):
    azure, env = synced
    env = {**env, "SECSCORE_BATCH_SIZE": "1", "AZURE_SUBSCRIPTION_IDS": "*"}
    secscore("sync", cwd=tmp_path, env=env)
    assert receiver.paths() == ["/beat-mark/default"]
    struck = next(iter(azure.world.subscriptions))
    azure.faults.append(Fault(Kind.STATUS, path=struck, status=400))
    secscore("sync", cwd=tmp_path, env=env, check=3)
    assert receiver.paths() == ["/beat-mark/default"]


@pytest.mark.slow
def test_dagster_sends_the_heartbeat_when_the_last_batch_is_published(local_azure, store, receiver, tmp_path):
    settings = {"SECSCORE_BATCH_SIZE": "1", "AZURE_SUBSCRIPTION_IDS": "*"}
    store.use(local_azure(World(subscriptions=2)), SECSCORE_HEARTBEAT_URL=f"{receiver.url}/beat", **settings)
    definitions = build_definitions(read_feeds())
    repository, job = definitions.get_repository_def(), definitions.resolve_job_def("sync")
    with dg.DagsterInstance.local_temp(str(tmp_path), {"telemetry": {"enabled": False}}) as instance:
        with dg.build_schedule_context(instance, repository_def=repository, scheduled_execution_time=NOW) as context:
            first, *others = repository.get_schedule_def("sync_schedule").evaluate_tick(context).run_requests

        def run(request):
            result = job.execute_in_process(
                instance=instance, partition_key=request.partition_key, asset_selection=request.asset_selection,
                tags=request.tags, run_config={"loggers": {"plain": {}}},
            )  # fmt: skip
            assert result.success

        shown = dg.RunRequest(asset_selection=[DATABASE], tags={PUBLISHES: first.tags[SYNC]})
        run(first)
        run(shown)
        assert receiver.paths() == []
        for request in others:
            run(request)
        with dg.build_sensor_context(instance, repository_def=repository) as context:
            (whole,) = repository.get_sensor_def("completed_syncs").evaluate_tick(context).run_requests
        run(whole._replace(asset_selection=[DATABASE]))
        assert receiver.paths() == ["/beat"]


@pytest.mark.slow
@of_files
def test_what_stands_in_the_metrics_files_place_and_is_not_ours_stays(synced, store, tmp_path):
    _, env = synced
    path = tmp_path / "secscore.prom"
    path.write_text("node_something 1\n")
    done = secscore("sync", cwd=tmp_path, env=env)
    assert "was left as it is" in done.stderr
    assert "[metrics-unwritable]" in done.stderr
    assert path.read_text() == "node_something 1\n"
    path.unlink()
    real = tmp_path / "collector"
    real.mkdir()
    path.symlink_to(real / "secscore.prom")
    write_metrics(path, store.warehouse, [Feed()], {})
    assert path.is_symlink()
    assert (real / "secscore.prom").read_text().startswith(MARK)
    assert list(real.iterdir()) == [real / "secscore.prom"]
    with pytest.raises(MetricsError, match="cannot be written"):
        write_metrics(tmp_path / "nowhere" / "secscore.prom", store.warehouse, [Feed()], {})


def test_a_run_of_one_feed_keeps_when_another_one_was_tried(store, tmp_path):
    path = tmp_path / "secscore.prom"
    feeds = [Feed(name="north"), Feed(name="south")]
    write_metrics(path, store.warehouse, feeds, {"north": NOW})
    write_metrics(path, store.warehouse, feeds, {"south": NOW + timedelta(hours=1)})
    values = metrics(tmp_path)
    name = "secscore_last_attempt_timestamp_seconds"
    assert values[name, 'feed="south"'] - values[name, 'feed="north"'] == 3600
    assert values["secscore_last_complete_sync_timestamp_seconds", 'feed="north"'] == 0


def test_labels_hold_any_text(tmp_path):
    evil = 'a"b\\c\nd{e="f"} 1'
    (tmp_path / "secscore.prom").write_text(render([Sample("secscore_score_ratio", 0.5, {"tenant_id": evil})]))
    ((name, labels),) = metrics(tmp_path)
    assert name == "secscore_score_ratio"
    assert labels == 'tenant_id="a\\"b\\\\c\\nd{e=\\"f\\"} 1"'


def test_the_rules_in_the_documentation_ask_for_metrics_that_there_are():
    rules = [
        rule
        for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
    ]
    assert len(rules) > 2
    for rule in rules:
        assert rule["annotations"]["summary"]
        asked = set(re.findall(r"secscore_\w+", rule["expr"]))
        assert asked
        assert asked <= _MEANINGS.keys()
    assert set(re.findall(r"`(secscore_\w+)", PAGE.read_text())) == _MEANINGS.keys()


@pytest.mark.slow
@of_files
def test_a_check_without_a_usable_setting_or_database_is_unknown_and_says_why(store, tmp_path):
    env = store.settings
    assert "[database-absent]" in check(tmp_path, env, "26h", code=3)
    shown = json.loads(check(tmp_path, env, "26h", "--json", code=3))
    assert (shown["state"], shown["exit_code"]) == ("UNKNOWN", 3)
    (tmp_path / "feeds.yaml").write_text("feeds: 7")
    assert "SECSCORE UNKNOWN" in check(tmp_path, {**env, "SECSCORE_FEEDS": "feeds.yaml"}, "26h", code=3)
    (tmp_path / "feeds.yaml").unlink()
    done = secscore("status", "--max-age", "soon", cwd=tmp_path, env=env, check=3)
    assert "Write a number" in done.stderr
    store.published.parent.mkdir(parents=True)
    store.published.write_bytes(b"no database" * 1000)
    assert "[database-foreign]" in check(tmp_path, env, "26h", code=3)
