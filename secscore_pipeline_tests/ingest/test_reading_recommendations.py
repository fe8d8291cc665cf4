"""Recommendations and their metadata, read over real sockets: what is asked for, and what a failure leaves behind."""

from dataclasses import replace
from datetime import timedelta

import dagster as dg
import pytest

from secscore_pipeline.alerts.events import find_alerts
from secscore_pipeline.azure.errors import Outcome
from secscore_pipeline.azure.event_types import ASSESSMENT_METADATA, ASSESSMENTS
from secscore_pipeline.clock import utc_now
from secscore_pipeline.config.feeds import Feed, read_feeds
from secscore_pipeline.definitions import build_definitions
from secscore_pipeline.defs.assets.raw import METADATA, RECOMMENDATIONS
from secscore_pipeline.defs.assets.report import REPORT
from secscore_pipeline.defs.runner import FeedResult, RunResult, SyncOutcome, run_sync
from secscore_pipeline.emulator.faults import Fault, Kind
from secscore_pipeline.emulator.world import State, World
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline.ingest.connection_test import run_connection_steps
from secscore_pipeline.ingest.metadata import ROUNDS
from secscore_pipeline.posture.freshness import read_freshness
from secscore_pipeline.warehouse import connection as warehouse_connection
from secscore_pipeline_tests.conftest import failed_checks, of_files, resources_of_environment
from secscore_pipeline_tests.support.fetching import fetch_event_type
from secscore_pipeline_tests.support.runs import materialize

EVENT_TYPES = "secure_scores,secure_score_controls,assessments"

FETCHES = "select outcome, pages, records from raw.fetches where event_type = ? order by fetch_id"
CURRENT = "select subscription_id, record_id, record from raw.assessments where ended_at is null order by all"


@pytest.fixture
def azure(local_azure):
    return local_azure(World(subscriptions=3, assessments=60), page_size=10)


def count_requests(azure, collection):
    return sum(count for request, count in azure.requests.items() if request.endswith(f"/{collection}"))


def read(event_type, clock=utc_now, run_id="run"):
    """Read an event type once, as the run of a feed does."""
    connection = AzureConnection.from_environment()
    return fetch_event_type(connection, resources_of_environment()["warehouse"].store, event_type, run_id, clock)


def test_every_assessment_is_stored_as_received(azure, store):
    store.use(azure, SECSCORE_EVENT_TYPES=EVENT_TYPES)
    assert failed_checks(store.sync()) == set()
    fetched = store.query(FETCHES, "assessments")
    assert [outcome for outcome, _, _ in fetched] == ["complete"] * 3
    assert all(pages > 3 for _, pages, _ in fetched)
    assert store.one("select count(*) from raw.assessments") == sum(records for _, _, records in fetched)
    assert store.one("select count(*) from raw.assessments where not contains(record, record_id)") == 0
    versions = "select distinct event_type, api_version from raw.fetches order by all"
    assert [version for _, version in store.query(versions)] == ["2025-05-04", "2025-05-04", "2020-01-01", "2020-01-01"]
    before = store.query(CURRENT)
    assert failed_checks(store.sync()) == set()
    assert store.query(CURRENT) == before
    assert store.one("select count(*) from raw.assessments") == len(before)  # nothing changed, and nothing was added


def test_metadata_is_asked_of_one_subscription_of_each_tenant_a_day_and_of_those_with_others(azure, store):
    store.use(azure, SECSCORE_EVENT_TYPES=EVENT_TYPES)
    store.sync()
    lists = store.query("select subscription_id from raw.fetches where event_type = 'assessment_metadata'")
    assert 1 <= len(lists) == len(set(lists)) <= 3
    azure.requests.clear()
    store.sync()
    assert count_requests(azure, "assessmentMetadata") == 0  # all of it was read today
    assert count_requests(azure, "assessments") > 3
    tomorrow = utc_now() + timedelta(days=1)
    taken = read(ASSESSMENT_METADATA, lambda: tomorrow)
    assert (taken.subscriptions, taken.outcomes) == (1, {Outcome.COMPLETE: 1})
    assert read(ASSESSMENT_METADATA, lambda: tomorrow, "another run").subscriptions == 0


def test_metadata_of_each_tenant_that_delegates_subscriptions_is_read(local_azure, store):
    world = World(subscriptions=1)
    customers = [world.add_customer(2), world.add_customer(2)]
    store.use(local_azure(world), "*", SECSCORE_EVENT_TYPES=EVENT_TYPES)
    assert failed_checks(store.sync()) == set()
    assert store.query("select distinct tenant_id from raw.assessment_metadata order by all") == sorted(
        (tenant_id,) for tenant_id in (world.tenant_id, *customers)
    )


def test_a_metadata_list_that_is_refused_is_asked_of_another_subscription(azure, store):
    store.use(azure, SECSCORE_EVENT_TYPES=EVENT_TYPES, SECSCORE_PARTIAL_FAILURE="fail")
    azure.faults.append(Fault(Kind.STATUS, "assessmentMetadata", times=1, status=403))
    assert failed_checks(store.sync()) == set()
    first, second, *_ = store.query(FETCHES, "assessment_metadata")
    assert first == ("forbidden", 0, 0)
    assert second[0] == "complete"
    assert store.one("select count(*) from raw.assessment_metadata") > 0


def test_metadata_that_cannot_be_read_at_all_is_a_warning(azure, store):
    store.use(azure, SECSCORE_EVENT_TYPES=EVENT_TYPES, SECSCORE_PARTIAL_FAILURE="fail")
    azure.faults.append(Fault(Kind.STATUS, "assessmentMetadata", status=403))
    result = store.sync()
    # Without it, nobody knows which recommendations are previews, which count for no control.
    assert failed_checks(result) == {"assessment_metadata: metadata_read", "assessment_findings: counts_agree"}
    failed = {one.check_name: one for one in result.get_asset_check_evaluations() if not one.passed}
    assert {one.severity for one in failed.values()} == {dg.AssetCheckSeverity.WARN}
    assert "forbidden" in failed["metadata_read"].description
    assert store.query(FETCHES, "assessment_metadata") == [("forbidden", 0, 0)] * 3
    assert store.one("select count(*) from raw.assessments") > 100
    with store.warehouse.get_reader() as connection:
        (freshness,) = read_freshness(connection, [Feed()])
    assert freshness.last_complete_at is not None  # the texts of recommendations are no part of that
    assert store.query("select distinct result from posture.read_results") == [("read",)]
    assert store.query("select distinct event_type, last_complete_at is null from posture.coverage order by all") == [
        (event_type, False) for event_type in sorted(EVENT_TYPES.split(","))
    ]


def test_metadata_that_can_no_longer_be_read_is_no_lost_coverage(azure, store):
    store.use(azure, SECSCORE_EVENT_TYPES=EVENT_TYPES)
    read(ASSESSMENTS)
    read(ASSESSMENT_METADATA)
    synced_at, tomorrow = utc_now(), utc_now() + timedelta(days=1)
    azure.faults.append(Fault(Kind.STATUS, "assessment", status=403))
    assert read(ASSESSMENT_METADATA, lambda: tomorrow, "tomorrow").outcomes == {"forbidden": 3}
    with store.warehouse.get_reader() as connection:
        assert find_alerts(connection, synced_at, threshold=5) == []
    read(ASSESSMENTS, lambda: tomorrow, "tomorrow")
    with store.warehouse.get_reader() as connection:
        assert [alert.kind for alert in find_alerts(connection, synced_at, threshold=5)] == ["coverage_lost"]


def test_no_more_than_a_few_subscriptions_of_a_tenant_are_asked_for_metadata(local_azure, store):
    azure = local_azure(World(subscriptions=ROUNDS + 2, assessments=5))
    store.use(azure)
    azure.faults.append(Fault(Kind.STATUS, "assessmentMetadata", status=403))
    read(ASSESSMENTS)
    assert read(ASSESSMENT_METADATA).subscriptions == count_requests(azure, "assessmentMetadata") == ROUNDS


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault(Kind.STATUS, status=403, body=b'{"error":{"code":"AuthorizationFailed"}}'), "forbidden"),
        (Fault(Kind.REPEAT), "failed"),
        pytest.param(Fault(Kind.STATUS, status=500), "failed", marks=pytest.mark.slow),
        pytest.param(Fault(Kind.STATUS, status=429, headers={"retry-after": "1"}), "throttled", marks=pytest.mark.slow),
        pytest.param(Fault(Kind.CUT, position=300), "failed", marks=pytest.mark.slow),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.kind}-{value.status}",
)
def test_a_list_that_fails_in_the_middle_is_stored_as_failed_and_changes_no_record(local_azure, store, fault, outcome):
    azure = local_azure(World(subscriptions=1, assessments=60), page_size=10)
    store.use(azure, SECSCORE_EVENT_TYPES=EVENT_TYPES)
    read(ASSESSMENTS)
    before, asked = store.query(CURRENT), count_requests(azure, "assessments")
    azure.world.simulate_until(azure.world.today + timedelta(days=60))
    fault = replace(fault, path="/assessments$", struck=0)

    def strike_the_fourth_page(_):
        if count_requests(azure, "assessments") == asked + 3:
            azure.faults.append(fault)
            azure.on_arm_request = None

    azure.on_arm_request = strike_the_fourth_page
    assert read(ASSESSMENTS, run_id="struck").outcomes == {outcome: 1}
    assert fault.struck
    assert store.query(FETCHES, "assessments")[1:] == [(outcome, 0, 0)]
    assert store.query(CURRENT) == before
    azure.faults.clear()
    assert read(ASSESSMENTS, run_id="whole").outcomes == {"complete": 1}
    assert store.query(CURRENT) != before  # it had changed


@of_files
def test_a_sync_without_recommendations_asks_for_none_and_opens_the_database_no_more_often(azure, store, monkeypatch):
    opened = []
    connect = warehouse_connection._connect
    monkeypatch.setattr(
        warehouse_connection, "_connect", lambda *given, **named: (opened.append(given), connect(*given, **named))[1]
    )
    store.use(azure)
    everything = dg.AssetSelection.all() - dg.AssetSelection.assets(REPORT)
    others = everything - dg.AssetSelection.assets(RECOMMENDATIONS, METADATA)
    materialize(others)
    counts = []
    for selection in (others, everything):
        opened.clear()
        assert failed_checks(materialize(selection)) == set()
        counts.append(len(opened))
    assert counts[0] == counts[1] > 0
    assert count_requests(azure, "assessments") == count_requests(azure, "assessmentMetadata") == 0
    assert store.query("select distinct event_type from raw.fetches order by all") == [
        ("secure_score_controls",), ("secure_scores",)
    ]  # fmt: skip


@pytest.mark.parametrize("event_types", ["secure_scores", EVENT_TYPES])
def test_the_runner_makes_the_assets_of_what_is_read(azure, store, event_types):
    store.use(azure, SECSCORE_EVENT_TYPES=event_types)
    steps = list(run_sync(build_definitions(read_feeds()), (Feed(),)))
    (run,) = (step for step in steps if isinstance(step, RunResult))
    assert (run.succeeded, run.messages, run.failed_checks) == (True, (), ())
    assert steps[-1] == FeedResult(Feed(), run.run_id, SyncOutcome.COMPLETE)
    read = {event_type for (event_type,) in store.query("select distinct event_type from raw.fetches")}
    assert read == {*event_types.split(","), *(["assessment_metadata"] if "assessments" in event_types else [])}


def test_batches_share_the_metadata_of_their_tenant(azure, store):
    store.use(azure, SECSCORE_EVENT_TYPES=EVENT_TYPES, SECSCORE_BATCH_SIZE="2")
    steps = list(run_sync(build_definitions(read_feeds()), (Feed(),)))
    assert steps[-1].outcome is SyncOutcome.COMPLETE
    assert sum(isinstance(step, RunResult) for step in steps) > 2
    lists = store.query("select subscription_id from raw.fetches where event_type = 'assessment_metadata'")
    assert 1 <= len(lists) == len(set(lists)) <= 3
    assert count_requests(azure, "assessments") > 0


def test_each_asset_can_be_made_alone(azure, store):
    store.use(azure, SECSCORE_EVENT_TYPES=EVENT_TYPES)
    assert failed_checks(materialize(dg.AssetSelection.assets(RECOMMENDATIONS))) == set()
    assert store.query("select distinct event_type from raw.fetches") == [("assessments",)]
    result = materialize(dg.AssetSelection.assets(METADATA))
    assert failed_checks(result) == set()
    assert store.one("select count(*) from raw.assessment_metadata where ended_at is null") > 0
    assert count_requests(azure, "secureScores") == 0


def test_the_connection_test_reads_one_page_of_each_list(local_azure, store):
    world = World(subscriptions=2, assessments=60)
    world.add_subscription("00000000-0000-0000-0000-0000000000aa", State.FORBIDDEN)
    azure = local_azure(world, page_size=10)
    store.use(azure, "*", SECSCORE_EVENT_TYPES=EVENT_TYPES)
    steps = [step for step in run_connection_steps(AzureConnection.from_environment(), utc_now) if step.outcome]
    said = [(step.outcome, step.says) for step in steps if step.name == "assessments"]
    assert said.count((Outcome.COMPLETE, "10 records on the first page.")) == 2
    assert [step.failure for step in steps if step.name == "assessments" and step.failure] == ["forbidden"]
    (metadata,) = (step for step in steps if step.name == "assessment_metadata")
    assert (metadata.outcome, metadata.says) == (Outcome.COMPLETE, "10 records on the first page.")
    assert count_requests(azure, "assessments") == 3
    assert count_requests(azure, "assessmentMetadata") == 1
    assert {step.name for step in steps} == {*EVENT_TYPES.split(","), "assessment_metadata"}
