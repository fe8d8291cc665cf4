"""The posture views, held against plain arithmetic on what the local Azure's world was like."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from secscore_pipeline.azure.event_types import SECURE_SCORE_CONTROLS, SECURE_SCORES
from secscore_pipeline.emulator.world import BIRTHDAY, Counts, State, World
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline.ocsf.mapping import Normalization
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.store import normalize
from secscore_pipeline.warehouse.warehouse import Warehouse
from secscore_pipeline_tests.conftest import of_files
from secscore_pipeline_tests.support.fetching import fetch_event_type

MFA = "34a42fb3-e6db-409c-b56b-7b1db6b8aee0"
FIRST = datetime(2026, 3, 1, 5, tzinfo=UTC)


def snapshot(store, azure, moment, *subscription_ids):
    """Take one whole snapshot as if it were taken at `moment`."""
    store.use(azure, *subscription_ids)
    connection = AzureConnection.from_environment()
    for event_type in (SECURE_SCORES, SECURE_SCORE_CONTROLS):
        fetch_event_type(connection, Warehouse.from_environment(), event_type, f"run {moment}", lambda: moment)
    with store.warehouse.get_connection() as opened:
        normalize(opened, Normalization().build_mapping())


def control(azure, subscription_id, definition=MFA):
    return azure.world.subscriptions[subscription_id].counts[definition]


@pytest.fixture(scope="module")
def twenty_days(module_azure, module_store):
    """Return a world that was looked at on twenty days."""
    azure = module_azure(World(seed=5, subscriptions=5, mixed=True))
    for number in range(20):
        azure.world.simulate_until((FIRST + timedelta(days=number)).date())
        snapshot(module_store, azure, FIRST + timedelta(days=number))
    return azure


@pytest.mark.slow
def test_every_move_of_a_score_is_explained_to_the_last_point(twenty_days, module_store):
    moves = module_store.query(
        "select sum(points), sum(points_by_fixes) + sum(points_by_controls) + sum(points_by_maximum) + "
        "sum(points_by_resources), sum(points_max), sum(percentage_change), subscription_id, cast(observed_at as date) "
        "from posture.changes where score = 'ascScore' group by subscription_id, observed_at"
    )
    scores = {
        (subscription, day): (current, maximum)
        for subscription, day, current, maximum in module_store.query(
            'select subscription_id, day, "current", "max" from posture.score_history where score = \'ascScore\''
        )
    }
    assert len(moves) > 40
    for points, explained, points_max, percentage, subscription, day in moves:
        after, before = scores[subscription, day], scores[subscription, day - timedelta(days=1)]
        assert points == pytest.approx(explained, abs=1e-9)
        assert points == pytest.approx(after[0] - before[0], abs=1e-6)
        assert points_max == pytest.approx(after[1] - before[1])
        assert percentage == pytest.approx(after[0] / after[1] - before[0] / before[1], abs=1e-9)
    moved = {(subscription, day) for *_, subscription, day in moves}
    still = {place for place in scores if place[1] > FIRST.date()} - moved
    for subscription, day in still:
        if (subscription, day - timedelta(days=1)) in scores:
            assert scores[subscription, day] == scores[subscription, day - timedelta(days=1)]
    kinds = module_store.query(
        "select count(*) filter (where points_by_fixes <> 0), count(*) filter (where appeared), "
        "count(*) filter (where disappeared), count(*) filter (where points_by_resources <> 0) from posture.changes"
    )
    assert all(count > 0 for count in kinds[0])


def test_macros_answer_the_common_questions(twenty_days, module_store):
    first, last = FIRST.date(), FIRST.date() + timedelta(days=19)
    scores = module_store.query("select subscription_id, score, percentage from posture.scores_on($day)", {"day": last})
    assert sorted(scores) == sorted(
        module_store.query("select subscription_id, score, percentage from posture.score_history where day = ?", last)
    )
    moved = module_store.query("select * from posture.score_changes($first, $last)", {"first": first, "last": last})
    assert {row[1] for row in moved} == {row[0] for row in scores}
    for *_, before, after, change, percent_before, percent, percent_change in moved:
        assert change == (None if None in (before, after) else pytest.approx(after - before))
        assert percent_change == (None if change is None else pytest.approx(percent - percent_before))
        assert percent == (None if after is None else pytest.approx(100 * after))
    one = twenty_days.world.subscriptions[scores[0][0]]
    for whose in (one.subscription_id, one.subscription_id.upper()):
        trend = module_store.query(
            "select day, percentage from posture.score_trend($whose) where score = 'ascScore'", {"whose": whose}
        )
        assert [day for day, _ in trend] == [first + timedelta(days=number) for number in range(20)]
    increases = module_store.query(
        "select control, potential_increase from posture.potential_increase($whose)", {"whose": one.subscription_id}
    )
    assert increases == sorted(increases, key=lambda row: (-row[1], row[0]))
    assert increases
    asked = {"whose": one.subscription_id, "since": first + timedelta(days=1)}
    explained = module_store.query(
        "select sum(points) from posture.change_causes($whose, $since) where score = 'ascScore'", asked
    )
    points = module_store.query(
        "select \"current\" from posture.score_trend($whose) where score = 'ascScore' order by day",
        {"whose": asked["whose"]},
    )
    assert explained[0][0] == pytest.approx(points[-1][0] - points[0][0], abs=1e-6)


def test_no_view_shows_digits_that_azure_would_not(twenty_days, module_store):
    columns = module_store.query(
        "select table_name, column_name from duckdb_columns() where schema_name = 'posture' and data_type = 'DOUBLE' "
        "and database_name = current_database()"
    )
    digits, computed = {}, 0
    for view, column in columns:
        numbers = [number for (number,) in module_store.query(f'select "{column}" from posture."{view}"')]
        shown = [repr(number) for number in numbers if number is not None]
        assert "-0.0" not in shown, (view, column)
        digits[view, column] = max((len(text.partition(".")[2]) for text in shown), default=0)
        computed += bool(shown)
    assert computed > 20
    adds_up = {("changes", "percentage_change"): 10}  # rounded like the others, those of many controls would not add up
    assert {place: most for place, most in digits.items() if most > adds_up.get(place, 4)} == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (Counts(6, 4, 0), Counts(8, 2, 0), {"fixes": 2.0}),
        (Counts(6, 4, 0), Counts(5, 5, 1), {"fixes": -1.0}),
        (Counts(6, 4, 0), Counts(6, 6, 0), {"resources": -1.0}),
        (Counts(6, 4, 0), Counts(6, 0, 0), {"resources": 4.0}),
        (Counts(5, 5, 0), Counts(6, 5, 0), {"resources": 0.45}),
        (Counts(6, 4, 0), None, {"controls": -6.0}),
        (None, Counts(6, 4, 0), {"controls": 6.0}),
    ],
)
def test_each_cause_is_told_from_the_others(local_azure, store, before, after, expected):
    azure = local_azure(World(subscriptions=1))
    (subscription,) = azure.world.subscriptions.values()
    for number, counts in enumerate((before, after)):
        subscription.counts.pop(MFA, None)
        if counts:
            subscription.counts[MFA] = counts
        snapshot(store, azure, FIRST + timedelta(days=number))
    ((fixes, controls, maximum, resources),) = store.query(
        "select points_by_fixes, points_by_controls, points_by_maximum, points_by_resources from posture.changes"
    )
    found = {"fixes": fixes, "controls": controls, "maximum": maximum, "resources": resources}
    assert found == pytest.approx({**dict.fromkeys(found, 0.0), **expected}, abs=0.006)


@pytest.mark.slow
def test_another_maximum_is_a_cause_of_its_own(local_azure, store):
    from dataclasses import replace

    azure = local_azure(World(subscriptions=1))
    (subscription,) = azure.world.subscriptions.values()
    subscription.counts[MFA] = Counts(5, 5, 0)
    snapshot(store, azure, FIRST)
    azure.world.definitions = tuple(
        replace(definition, max_score=8) if definition.name == MFA else definition
        for definition in azure.world.definitions
    )
    snapshot(store, azure, FIRST + timedelta(days=1))
    assert store.query("select points_by_maximum, points_max, points from posture.changes") == [(-1.0, -2.0, -1.0)]


def test_the_tenant_score_is_microsofts_weighted_roll_up(twenty_days, module_store):
    world = twenty_days.world
    expected = Decimal(0)
    weights = Decimal(0)
    for subscription in world.subscriptions.values():
        if subscription.state in (State.UNSCORED, State.FORBIDDEN):
            continue
        score = world.scores(subscription)[0]["properties"]
        weight = Decimal(score["weight"])
        expected += Decimal(str(score["score"]["current"])) / Decimal(score["score"]["max"]) * weight
        weights += weight
    ((percentage, subscriptions),) = module_store.query(
        "select percentage, subscriptions from posture.tenant_score where score = 'ascScore' order by day desc limit 1"
    )
    assert percentage == float(round(expected / weights, 4))
    assert subscriptions == len(world.subscriptions) - 2
    assert module_store.one("select count(*) from posture.tenant_score where score = 'ascScore'") == 20


def test_what_is_not_scored_is_never_counted_as_nothing(local_azure, store):
    azure = local_azure(World(subscriptions=2))
    first, second = azure.world.subscriptions.values()
    first.counts = {name: Counts(0, 0, 3) for name in first.counts}
    snapshot(store, azure, FIRST)
    assert (
        store.one("select percentage from posture.current_scores where subscription_id = ?", first.subscription_id)
        is None
    )
    score = azure.world.scores(second)[0]["properties"]["score"]
    assert store.query("select percentage, subscriptions from posture.tenant_score") == [
        (round(score["current"] / score["max"], 4), 1)
    ]


@pytest.mark.slow
def test_opportunities_follow_microsofts_formula(local_azure, store):
    azure = local_azure(World(subscriptions=1))
    (subscription,) = azure.world.subscriptions.values()
    subscription.counts = {MFA: Counts(6, 4, 9), "52901099-235c-4971-b9d5-a33fca3a936e": Counts(3, 1, 0)}
    snapshot(store, azure, FIRST)
    assert store.query(
        "select control, potential_increase, points_per_resource, unhealthy_resources, place, "
        "potential_increase_percentage from posture.opportunities order by place"
    ) == [
        ("Enable MFA", 4.0, 1.0, 4, 1, round(4 / 18, 4)),
        ("Secure management ports", 2.0, 2.0, 1, 2, round(2 / 18, 4)),
    ]


@pytest.mark.slow
def test_a_stale_score_says_so_and_gaps_and_the_scope_are_known(local_azure, store):
    azure = local_azure(World(subscriptions=3))
    first, second, third = azure.world.subscriptions
    snapshot(store, azure, FIRST)
    azure.world.subscriptions[first].state = State.FORBIDDEN
    snapshot(store, azure, FIRST + timedelta(days=1), first, second)
    azure.world.subscriptions[second].state = State.UNSCORED
    snapshot(store, azure, FIRST + timedelta(days=3), first, second)
    coverage = store.query(
        "select subscription_id, last_outcome, days_complete, days_missed, is_in_scope, last_failure is not null "
        "from posture.coverage where event_type = 'secure_scores' order by subscription_id"
    )
    assert coverage == sorted(
        [
            (first, "forbidden", 1, 3, True, True),
            (second, "no_score", 2, 2, True, False),
            (third, "complete", 1, 0, False, False),
        ]
    )
    last = "select last_complete_at from posture.coverage where event_type = 'secure_scores' and subscription_id = ?"
    assert [store.one(last, one) for one in (first, second)] == [FIRST, FIRST + timedelta(days=1)]
    assert store.query(
        "select day from posture.gaps where event_type = 'secure_scores' and subscription_id = ? order by day", second
    ) == [
        (date(2026, 3, 3),),
        (date(2026, 3, 4),),
    ]
    newest = dict(store.query("select subscription_id, is_latest_fetch from posture.current_scores"))
    assert newest == {first: False, second: False}
    states = (
        "select state, reason from posture.coverage where event_type = 'secure_scores' order by last_fetch_at, state"
    )
    assert store.query(states) == [("left", "excluded"), ("in_scope", None), ("unreadable", "forbidden")]
    assert store.query("select * from posture.gaps where subscription_id = ?", third) == []
    closed = "select distinct subscription_id, left_reason from ocsf.observations where activity_id = 3"
    assert store.query(closed) == [(third, "excluded")]


def test_a_world_lives_the_same_days_from_the_same_seed():
    def lived(day):
        world = World(seed=3, subscriptions=4)
        world.simulate_until(day)
        return world, [
            world.controls(subscription, "ascScore", expand=False) for subscription in world.subscriptions.values()
        ]

    world, then = lived(BIRTHDAY + timedelta(days=200))
    assert lived(BIRTHDAY + timedelta(days=200))[1] == then
    assert len(world.subscriptions) > 4
    assert then[:4] != [
        World(seed=3, subscriptions=4).controls(s, "ascScore", expand=False)
        for s in World(seed=3, subscriptions=4).subscriptions.values()
    ]
    assert world.definitions != World().definitions


BOTH = {
    "AssessedResourceId", "_BilledSize", "CurrentScore", "Environment", "_IsBillable", "IsSnapshot", "MaxScore",
    "PercentageScore", "Properties", "_ResourceId", "ResourceProviderType", "SecureScoresSubscriptionId",
    "SourceSystem", "_SubscriptionId", "TenantId", "TimeGenerated", "Type", "Weight",
}  # fmt: skip
LOG_ANALYTICS = {
    "SecureScores": BOTH | {"DisplayName"},
    "SecureScoreControls": BOTH
    | {
        "ControlId", "ControlName", "ControlType", "Description", "HealthyResources", "NotApplicableResources",
        "RecommendationResourceIds", "UnhealthyResources",
    },
}  # fmt: skip


@pytest.mark.parametrize("table", LOG_ANALYTICS)
def test_log_analytics_tables_have_microsofts_columns(local_azure, store, table):
    azure = local_azure(World(subscriptions=2, custom_controls=1))
    snapshot(store, azure, FIRST)
    columns = dict(
        store.query(
            "select column_name, data_type from duckdb_columns() where schema_name = 'posture' and table_name = ?",
            table,
        )
    )
    assert set(columns) == LOG_ANALYTICS[table]
    types = {"MaxScore": "INTEGER", "CurrentScore": "DOUBLE", "Weight": "BIGINT", "IsSnapshot": "BOOLEAN"}
    assert {name: columns[name] for name in types} == types
    assert store.one(f"select count(*) from posture.{table}") == (2 if table == "SecureScores" else 32)
    assert store.one(f"select count(*) from posture.{table} where Properties ->> '$.displayName' is null") == 0
    if "ControlType" in columns:
        sources = "select ControlType, count(*) from posture.SecureScoreControls group by all order by all"
        assert store.query(sources) == [("BuiltIn", 30), ("Custom", 2)]


@pytest.mark.slow
@of_files  # a lake has no comments on the columns of views
def test_every_column_of_every_table_is_commented(local_azure, store):
    snapshot(store, local_azure(World(subscriptions=1)), FIRST)
    uncommented = store.query(
        "select schema_name, table_name, column_name from duckdb_columns() "
        "where schema_name in ('raw', 'ocsf', 'posture', 'internal', 'meta') and comment is null"
    )
    assert uncommented == []
    assert (
        store.query(
            "select view_name from duckdb_views() "
            "where schema_name in ('raw', 'ocsf', 'posture', 'internal') and comment is null"
        )
        == []
    )


def test_whatever_has_a_subscription_has_its_name_beside_its_id(twenty_days, module_store):
    listed = module_store.query(
        "select view_name from duckdb_views() where schema_name = 'posture' and not internal and "
        "database_name = current_database()"
    )
    relations = [f"posture.{view}" for (view,) in listed] + [
        "posture.find_subscriptions('x')", "posture.scores_on('2026-03-01')", "posture.score_trend('x')",
        "posture.score_changes('2026-03-01', '2026-03-02')", "posture.potential_increase('x')",
        "posture.change_causes('x', '2026-03-01')",
    ]  # fmt: skip
    columns = {one: [row[0] for row in module_store.query(f"describe from {one}")] for one in relations}
    having = {one: names for one, names in columns.items() if "subscription_id" in names}
    beside = {one: names[names.index("subscription_id") + 1] for one, names in having.items()}
    assert {one: name for one, name in beside.items() if name != "subscription_name"} == {}
    assert len(having) == 16 + 6


@of_files  # a lake has no comments on the columns of views
def test_every_macro_says_what_its_arguments_are_and_has_an_example_that_binds(twenty_days, module_store):
    macros = module_store.query(
        "select function_name, parameters from duckdb_functions() "
        "where function_type = 'table_macro' and schema_name = 'posture'"
    )
    assert len(macros) == 6
    for macro, parameters in macros:
        call, *arguments, example = module_store.query(load_sql("posture/describe_object"), {"name": macro})
        assert call[:2] == (f"{macro}({', '.join(parameters)})", "macro")
        assert [(name, kind in ("VARCHAR", "DATE"), bool(meaning)) for name, kind, meaning in arguments] == [
            (name, True, True) for name in parameters
        ]
        assert (example[0], f"posture.{macro}(" in example[2]) == ("Example", True)
        assert module_store.query(f"describe {example[2].rstrip(';')}")


def test_a_day_is_a_day_in_utc_wherever_the_reader_is(local_azure, store):
    azure = local_azure(World(subscriptions=1))
    moment = FIRST.replace(hour=23)
    snapshot(store, azure, moment)
    with store.warehouse.get_reader() as connection:
        connection.execute("set timezone = 'Pacific/Auckland'")
        for view in ("score_history", "control_history", "tenant_score"):
            assert connection.execute(f"select distinct day from posture.{view}").fetchall() == [(moment.date(),)]
        assert connection.execute("select days_complete from posture.coverage").fetchall() == [(1,), (1,)]
