"""Who is in scope, who has left it, and who only cannot be read: over real sockets, in real stores."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from secscore_pipeline.alerts.events import find_alerts
from secscore_pipeline.azure.errors import AzureError
from secscore_pipeline.azure.event_types import SECURE_SCORE_CONTROLS, SECURE_SCORES
from secscore_pipeline.clock import utc_now
from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.defs.resources import build_connection_resource
from secscore_pipeline.emulator.faults import Fault, Kind
from secscore_pipeline.emulator.world import Counts, State, World
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline.ingest.listing import PendingListing
from secscore_pipeline.ocsf.mapping import Normalization
from secscore_pipeline.ocsf.validation import build_event, find_lake_problems, find_problems
from secscore_pipeline.posture.status import read_status
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.statements import execute
from secscore_pipeline.warehouse.store import delete_findings, delete_old_fetches, normalize
from secscore_pipeline.warehouse.warehouse import Warehouse
from secscore_pipeline_tests.conftest import secscore
from secscore_pipeline_tests.support.fetching import fetch_event_type

MFA = "34a42fb3-e6db-409c-b56b-7b1db6b8aee0"
FIRST = datetime(2026, 3, 1, 5, tzinfo=UTC)
LIST = r"/subscriptions$"

COVERAGE = (
    "select subscription_id, state, reason from posture.coverage where event_type = 'secure_scores' "
    "order by subscription_id"
)
CURRENT = "select distinct subscription_id from posture.current_scores order by all"
LEFT = "select count(*) from raw.scope_changes where state = 'left'"


def read(store, azure, moment=None, *subscription_ids, is_normalized=True, **settings):
    """Read everything once, as a run does, at a moment; return what it said."""
    store.use(azure, *(subscription_ids or ("*",)), **settings)
    return read_as(store, AzureConnection.from_environment(), moment, is_normalized=is_normalized)


def read_as(store, connection, moment=None, *, is_normalized=True):
    """Read everything that a connection is for."""
    moment = moment or utc_now()
    warehouse, run_id, said = Warehouse.from_environment(), f"run {connection.feed} {moment}", []
    if (owner_tag := connection.settings().owner_tag) is not None:
        PendingListing(connection, warehouse, run_id, owner_tag, lambda: moment).result()
    for event_type in (SECURE_SCORES, SECURE_SCORE_CONTROLS):
        fetch_event_type(connection, warehouse, event_type, run_id, lambda: moment, said.append)
    if is_normalized:
        with store.warehouse.get_connection() as opened:
            normalize(opened, Normalization().build_mapping())
    return "\n".join(line for line in said if "scope" in line)


def feed_of(store, azure, name, *others):
    """Return the connection of a feed that is configured beside others."""
    store.use(azure, "*")
    return replace(AzureConnection.from_environment(), feed=name, other_feeds=others)


def assert_a_rebuild_tells_the_same(store, azure):
    before = store.query("from ocsf.assessment_findings order by all")
    with store.warehouse.get_connection() as connection:
        delete_findings(connection)
        normalize(connection, Normalization().build_mapping())
    assert store.query("from ocsf.assessment_findings order by all") == before
    assert store.query(CURRENT) == sorted((one,) for one in azure.world.subscriptions)


@pytest.fixture
def azure(local_azure):
    """Four subscriptions in which one control has a potential increase of ten points, together."""
    world = World(subscriptions=4)
    for number, one in enumerate(world.subscriptions.values()):
        one.counts = {MFA: Counts(0, 4, 0) if number < 2 else Counts(3, 1, 0)}
        one.name = f"{'abcd'[number]}-prod"
    return local_azure(world)


@pytest.mark.slow
def test_who_left_counts_nowhere_and_is_told_once_with_the_reason(azure, store, capfd):
    gone, off, one, other = azure.world.subscriptions
    store.use(azure, "*")
    store.sync()
    assert store.one("select sum(potential_increase) from posture.opportunities") == 10 + 10 + 2.5 + 2.5
    del azure.world.subscriptions[gone]
    azure.world.subscriptions[off].state = State.DISABLED
    capfd.readouterr()
    store.sync(with_report=True)
    said = capfd.readouterr().err
    assert said.count("left the scope") == 1
    assert "2 subscriptions left the scope: a-prod (no longer listed), b-prod (disabled)" in said
    assert said.count("no longer listed") == 1
    assert "vanished" not in said
    with store.warehouse.get_published() as connection:
        (told,) = (one for one in find_alerts(connection, utc_now() - timedelta(days=1), 5) if one.kind == "scope_left")
    assert told.lines == ("a-prod (no longer listed)", "b-prod (disabled)")
    assert store.query(COVERAGE) == sorted(
        [(gone, "left", "not_listed"), (off, "left", "disabled"), (one, "in_scope", None), (other, "in_scope", None)]
    )
    current = sorted([(one,), (other,)])
    assert store.query(CURRENT) == current
    for view in ("current_controls", "opportunities", "daily_score"):
        assert store.query(f"select distinct subscription_id from posture.{view} order by all") == current
    assert store.one("select sum(potential_increase) from posture.opportunities") == 5
    assert store.query("select subscriptions, percentage from posture.tenant_score") == [(2, 0.75)]
    report = (store.path.parents[1] / "report.html").read_text()
    assert re.search(r"Subscriptions read</dt><dd>2 of 2<", report)
    assert "a-prod</bdi>: no longer listed, since " in report
    assert "b-prod</bdi>: disabled, since " in report
    assert gone not in report
    assert off not in report
    with store.warehouse.get_published() as connection:
        shown = read_status(connection, [Feed()], utc_now())
    assert (shown.attention, [row["percentage"] for row in shown.scores]) == ([], [0.75])
    assert store.one("select count(*) from posture.score_history where subscription_id in (?, ?)", gone, off) == 2
    store.sync()
    assert "left the scope" not in capfd.readouterr().err
    assert store.one(LEFT) == 2


@pytest.mark.slow
def test_findings_of_who_left_are_closed_with_a_reason_that_tells_them_from_fixed_ones(azure, store):
    gone, fixed, *_ = azure.world.subscriptions
    azure.world.subscriptions[fixed].counts["52901099-235c-4971-b9d5-a33fca3a936e"] = Counts(1, 0, 0)
    read(store, azure)
    del azure.world.subscriptions[gone]
    del azure.world.subscriptions[fixed].counts[MFA]
    read(store, azure)
    closed = "select cloud.account.uid, status, status_detail from ocsf.assessment_findings where activity_id = 3 and "
    why = "Closed because the subscription is no longer listed, not because it was fixed; last: "
    assert sorted(store.query(closed + "cloud.account.uid = ?", gone)) == [
        (gone, "Resolved", why + "ASC score: 0 of 10 points (0.00%)"),
        (gone, "Resolved", why + "Enable MFA: 0 of 10 points (0.00%); 0 healthy, 4 unhealthy, 0 not applicable"),
    ]
    ((_, _, detail),) = store.query(closed + "cloud.account.uid = ?", fixed)
    assert detail.startswith("Enable MFA: 0 of 10")
    found = store.query("select to_json(f) from ocsf.assessment_findings as f where activity_id = 3")
    assert [find_problems(build_event(row)) for (row,) in found] == [[]] * 3
    assert_a_rebuild_tells_the_same(store, azure)


@pytest.mark.slow
def test_exports_of_the_day_have_what_was_closed(azure, store):
    gone, *_ = azure.world.subscriptions
    read(store, azure)
    before = store.query(load_sql("exports/list_days"))
    del azure.world.subscriptions[gone]
    read(store, azure)
    assert store.query(load_sql("exports/list_days")) != before
    with store.warehouse.get_connection() as connection:
        execute(connection, load_sql("exports/select_day"), {"day": utc_now().date()})
        assert connection.execute(
            "select left_reason, count(*) from exported_observations where activity_id = 3 group by all"
        ).fetchall() == [("not_listed", 2)]
        event_columns = '* exclude (region, "accountId", "eventDay", unmapped)'
        layout = load_sql("ocsf/security_lake")
        text = f"select to_json(f) from (select {event_columns} from ({layout})) as f"
        found = [build_event(row) for (row,) in execute(connection, text, {"region": "local"}).fetchall()]
    assert [wrong for finding in found if (wrong := find_lake_problems(finding))] == []
    assert sum(finding["status_detail"].startswith("Closed because") for finding in found) == 2


@pytest.mark.slow
def test_one_that_comes_back_goes_on_and_its_days_outside_are_no_gaps(azure, store):
    gone, other, *_ = azure.world.subscriptions
    read(store, azure, FIRST)
    held = azure.world.subscriptions.pop(gone)
    for day in (1, 2, 4):
        read(store, azure, FIRST + timedelta(days=day))
    days = "select day from posture.gaps where event_type = 'secure_scores' and subscription_id = ? order by day"
    assert store.query(days, other) == [(date(2026, 3, 4),)]
    assert store.query(days, gone) == []
    azure.world.subscriptions[gone] = held
    said = read(store, azure, FIRST + timedelta(days=5))
    assert said.startswith("1 subscription is in scope again: a-prod")
    read(store, azure, FIRST + timedelta(days=7))
    assert store.query(days, gone) == [(date(2026, 3, 7),)]
    assert (gone,) in store.query(CURRENT)
    coverage = "select state, since, days_missed from posture.coverage where subscription_id = ?"
    assert set(store.query(coverage, gone)) == {("in_scope", FIRST + timedelta(days=5), 1)}
    lives = "select list(activity_name order by time) from ocsf.assessment_findings where finding_info.uid like ?"
    assert store.one(lives, f"%{gone}%ascscore") == ["Create", "Close", "Update", "Update"]


@pytest.mark.slow
def test_nobody_has_left_where_a_list_could_not_be_read(azure, store):
    inside, *_ = azure.world.subscriptions
    for one in azure.world.subscriptions.values():
        one.group = "corp"
    settings = {"AZURE_MANAGEMENT_GROUP_ID": "landing-zones"}
    read(store, azure, None, **settings)
    azure.world.subscriptions[inside].state = State.DISABLED
    for struck in (LIST, "descendants"):
        azure.faults[:] = [Fault(Kind.STATUS, path=struck, status=400)]
        with pytest.raises(AzureError):
            read_as(store, AzureConnection.from_environment().with_settings(SECSCORE_ENTITIES="off"))
        assert store.one(LEFT) == 0
        assert len(store.query(CURRENT)) == 4
    azure.faults.clear()
    azure.world.subscriptions[inside].state = State.NORMAL
    azure.world.subscriptions[inside].group = "platform"
    assert "a-prod (moved out of the management group)" in read(store, azure, None, **settings)
    kept, azure.world.subscriptions = azure.world.subscriptions, {}
    with pytest.raises(AzureError, match="Azure lists no subscription"):
        read(store, azure)
    assert store.one(LEFT) == 1
    azure.world.subscriptions = kept


@pytest.mark.slow
def test_a_fetch_that_fails_takes_nobody_out_of_scope_that_is_listed(azure, store):
    gone, off, refused, _ = azure.world.subscriptions
    read(store, azure, FIRST)
    for one, status, code in (
        (gone, 404, b"SubscriptionNotFound"),
        (off, 409, b"DisabledSubscription"),
        (refused, 403, b"AuthorizationFailed"),
    ):
        body = b'{"error": {"code": "%s", "message": "no"}}' % code
        azure.faults.append(Fault(Kind.STATUS, path=f"{one}/providers", status=status, body=body))
    read(store, azure, FIRST + timedelta(days=1))
    read(store, azure, FIRST + timedelta(days=2))
    unreadable = "select subscription_id, reason, since from posture.coverage where state = 'unreadable'"
    since = FIRST + timedelta(days=1)
    assert set(store.query(unreadable)) == {
        (gone, "not_found", since), (off, "disabled", since), (refused, "forbidden", since)
    }  # fmt: skip
    assert len(store.query(CURRENT)) == 4
    assert store.one("select count(*) from internal.closings") == 0
    assert store.one("select count(*) from posture.gaps where event_type = 'secure_scores'") == 6
    azure.world.subscriptions[off].state = State.DISABLED
    document = azure.world.subscription_document
    azure.world.subscription_document = lambda one: {
        **document(one), **({"state": "Deleted"} if one.subscription_id == gone else {})
    }  # fmt: skip
    assert "a-prod (deleted), b-prod (disabled)" in read(store, azure, FIRST + timedelta(days=3))
    with store.warehouse.get_reader() as connection:
        told = {alert.kind: alert for alert in find_alerts(connection, FIRST, 5)}
    assert told.keys() == {"coverage_lost", "scope_left"}
    assert [line[:18] for line in told["coverage_lost"].lines] == ["c-prod (forbidden)"]
    assert told["scope_left"].title == "2 subscriptions left the scope"
    assert told["scope_left"].lines == ("a-prod (deleted)", "b-prod (disabled)")


@pytest.mark.slow
@pytest.mark.parametrize("entities", ["on", "off"])
def test_who_a_setting_leaves_out_is_excluded(azure, store, entities):
    named, dropped, off, patterned = azure.world.subscriptions
    read(store, azure, None, named, dropped, off, patterned, SECSCORE_ENTITIES=entities)
    azure.world.subscriptions[off].state = State.DISABLED
    azure.faults.append(Fault(Kind.STATUS, path=LIST, status=400))
    read(store, azure, None, named, dropped, off, patterned, SECSCORE_ENTITIES="off")
    assert store.one(LEFT) == 0
    azure.faults.clear()
    said = read(store, azure, None, named, off, patterned, SECSCORE_ENTITIES=entities)
    assert f"{'b-prod' if entities == 'on' else dropped} (excluded by a setting)" in said
    assert ("c-prod (disabled)" in said) is (entities == "on")
    read(store, azure, None, SECSCORE_EXCLUDE="d-*", SECSCORE_ENTITIES=entities)
    states = {one: (state, reason) for one, state, reason in store.query(COVERAGE)}
    assert states == {
        named: ("in_scope", None),
        dropped: ("in_scope", None),
        off: ("left", "disabled"),
        patterned: ("left", "excluded"),
    }


@pytest.mark.slow
def test_a_run_with_a_scope_of_its_own_takes_nobody_out_of_that_of_its_feed(azure, store):
    one, excluded, *others = azure.world.subscriptions
    store.use(azure, "*", SECSCORE_EXCLUDE=azure.world.subscriptions[excluded].name)
    store.sync()
    with dg.build_init_resource_context(config={}) as context:
        connect = build_connection_resource(Feed())
        regular = connect(context)
    with dg.build_init_resource_context(config={"subscription_ids": f"{one},{excluded}", "exclude": ""}) as context:
        narrow = connect(context)
    assert (regular.has_own_scope, narrow.has_own_scope) == (False, True)
    read_as(store, narrow)
    assert len(store.query(CURRENT)) == 4
    read_as(store, regular)
    assert store.query(CURRENT) == sorted((kept,) for kept in (one, *others))


@pytest.mark.slow
def test_a_subscription_that_goes_to_another_feed_goes_on_there(azure, local_azure, store):
    moves, *_ = azure.world.subscriptions
    beyond = local_azure(World(seed=9, subscriptions=1))
    north, south = (feed_of(store, *given) for given in ((azure, "north", "south"), (beyond, "south", "north")))
    read_as(store, north, FIRST)
    read_as(store, south, FIRST)
    beyond.world.subscriptions[moves] = azure.world.subscriptions.pop(moves)
    read_as(store, north, FIRST + timedelta(days=1))
    assert (moves, "left", "not_listed") in store.query(COVERAGE)
    read_as(store, south, FIRST + timedelta(days=2))
    read_as(store, north, FIRST + timedelta(days=2))
    assert [row for row in store.query(COVERAGE) if row[0] == moves] == [(moves, "in_scope", None)]
    assert store.one("select feed from posture.current_scores where subscription_id = ?", moves) == "south"
    assert store.query("from posture.gaps where subscription_id = ?", moves) == []
    # South is taken from feeds.yaml, and its other subscription with it; who is left goes on in a feed of another name.
    renamed = replace(north, feed="north-2", other_feeds=("new",))
    read_as(store, renamed, FIRST + timedelta(days=3))
    assert len(store.query(CURRENT)) == 5
    new = replace(south.with_settings(AZURE_SUBSCRIPTION_IDS=moves), feed="new")
    read_as(store, new, FIRST + timedelta(days=3))
    read_as(store, renamed, FIRST + timedelta(days=4))
    (gone,) = beyond.world.subscriptions.keys() - {moves}
    assert (gone, "left", "excluded") in store.query(COVERAGE)
    assert len(store.query(CURRENT)) == 4


@pytest.mark.slow
def test_batches_tell_it_once_and_a_run_that_is_done_again_tells_nothing_new(azure, store, tmp_path):
    gone, off, *others = azure.world.subscriptions
    env = {**azure.settings("*"), **store.settings, "SECSCORE_BATCH_SIZE": "1"}
    secscore("sync", cwd=tmp_path, env=env)
    del azure.world.subscriptions[gone]
    azure.world.subscriptions[off].state = State.DISABLED
    done = secscore("sync", cwd=tmp_path, env=env)
    assert done.stderr.count("left the scope") == 1
    assert store.query(CURRENT) == sorted((one,) for one in others)
    assert store.one(LEFT) == 2
    for one in others:
        azure.world.subscriptions[one].state = State.DISABLED
    assert "None of the 3 subscriptions" in secscore("sync", cwd=tmp_path, env=env, check=3).stderr
    with store.warehouse.get_published() as connection:
        assert connection.execute(CURRENT).fetchall() == []
    for one in others:
        azure.world.subscriptions[one].state = State.NORMAL
    store.use(azure, "*")
    first = store.sync()
    again = AzureConnection.from_environment()
    assert again.listing("another run").visible
    azure.world.subscriptions[others[0]].state = State.DISABLED
    for event_type in (SECURE_SCORES, SECURE_SCORE_CONTROLS):
        fetch_event_type(again, Warehouse.from_environment(), event_type, first.run_id)
    with store.warehouse.get_connection() as connection:
        normalize(connection, Normalization().build_mapping())
    assert store.query(CURRENT) == [(others[1],)]
    assert store.one("select count(*) from internal.closings") == 5 * 2


@pytest.mark.slow
def test_a_tenant_of_which_nothing_is_left_is_published_so(azure, store):
    store.use(azure, "*")
    store.sync()
    for one in azure.world.subscriptions.values():
        one.state = State.DISABLED
    store.sync(succeeds=False)
    with store.warehouse.get_published() as connection:
        assert connection.execute(CURRENT).fetchall() == []
        assert read_status(connection, [Feed()], utc_now()).scores == []


@pytest.mark.slow
def test_a_read_that_began_before_somebody_left_does_not_bring_it_back_for_good(azure, store):
    slow, *_ = azure.world.subscriptions
    store.use(azure, "*")
    read(store, azure)
    connection = AzureConnection.from_environment()
    listing = connection.listing("slow run")
    assert len(listing.visible) == 4
    azure.world.subscriptions[slow].state = State.DISABLED
    read(store, azure)
    assert len(store.query(CURRENT)) == 3
    azure.world.subscriptions[slow].state = State.NORMAL  # as its own fetch, begun before, still found it
    for event_type in (SECURE_SCORES, SECURE_SCORE_CONTROLS):
        fetch_event_type(connection, Warehouse.from_environment(), event_type, "slow run")
    azure.world.subscriptions[slow].state = State.DISABLED
    read(store, azure)
    assert len(store.query(CURRENT)) == 3
    assert {one: state for one, state, _ in store.query(COVERAGE)}[slow] == "left"


@pytest.mark.slow
def test_a_retention_keeps_who_left_out_and_a_rebuild_after_it_tells_the_same(azure, store):
    gone, back, *_ = azure.world.subscriptions
    read(store, azure, FIRST)
    held = azure.world.subscriptions.pop(gone), azure.world.subscriptions.pop(back)
    read(store, azure, FIRST + timedelta(days=1))
    azure.world.subscriptions[back] = held[1]
    for day in (20, 21):
        read(store, azure, FIRST + timedelta(days=day))
    with store.warehouse.get_connection() as connection:
        delete_old_fetches(connection, FIRST + timedelta(days=10))
    assert_a_rebuild_tells_the_same(store, azure)
    assert gone not in {one for one, *_ in store.query(COVERAGE)}
    azure.world.subscriptions[gone] = held[0]
    read(store, azure, FIRST + timedelta(days=22))
    assert len(store.query(CURRENT)) == 4
