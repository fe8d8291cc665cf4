"""What moved a tenant's score in a week: percentage points that add up to the move, to the last digit that is shown."""

from datetime import UTC, datetime, timedelta

import pytest

from secscore_pipeline.emulator.world import State, World
from secscore_pipeline.posture.changes import PARTS, explain_moves
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.statements import select_rows
from secscore_pipeline_tests.support.records import TENANT, make_control, make_score, store_records

A, B, C = (f"00000000-0000-0000-0000-00000000000{letter}" for letter in "abc")
FIRST = datetime(2026, 3, 1, 5, tzinfo=UTC)


def explain(store):
    with store.warehouse.get_reader() as connection:
        trends = {}
        for day in select_rows(connection, load_sql("posture/list_daily_scores"), {}):
            trends.setdefault(day["tenant_id"], []).append(day)
        return explain_moves(connection, trends)


def store_day(store, number, subscriptions):
    """Store a day: of each subscription its weight, and of each of its controls the maximum and the resources."""
    scores, controls = {}, {}
    for subscription, (weight, counts) in subscriptions.items():
        records = [make_control(subscription, name, *numbers) for name, numbers in counts.items()]
        points = [record["properties"]["score"] for record in records]
        maximum, current = (sum(one[key] for one in points) for key in ("max", "current"))
        controls[subscription], scores[subscription] = records, [make_score(subscription, current, maximum, weight)]
    moment = FIRST + timedelta(days=number)
    store_records(store, f"run-{number}", moment, {"secure_scores": scores, "secure_score_controls": controls})


def check_sums(move):
    assert round(sum(cause["points"] for cause in move.causes), 2) == move.points
    assert move.points == round(100 * (move.last["percentage"] - move.first["percentage"]), 2)
    for cause in move.causes:
        if cause["control_id"]:
            assert round(sum(cause[f"points_by_{part}"] for part in PARTS), 2) == cause["points"]
        assert abs(cause["points"] - cause["move"]) < 0.02


def test_causes_are_weighted_and_what_no_control_explains_is_a_line(store):
    store_day(store, 0, {A: (3, {"access": (10, 5, 5), "updates": (10, 5, 5)}), B: (1, {"access": (10, 5, 5)})})
    # A fixes two of ten resources; B gets a control in which all is healthy; C comes with everything healthy.
    store_day(
        store,
        8,
        {
            A: (3, {"access": (10, 7, 3), "updates": (10, 5, 5)}),
            B: (1, {"access": (10, 5, 5), "network": (10, 10, 0)}),
            C: (4, {"access": (10, 8, 0)}),
        },
    )
    move = explain(store)[TENANT]
    assert (move.first["percentage"], move.last["percentage"]) == (0.5, 0.8188)
    assert move.points == 31.88
    assert move.has_week
    check_sums(move)
    access, network, rest = move.causes
    # 3/8 of the weight of the newest day is A's, 1/8 B's, 4/8 C's.
    assert access["control"] == "access"
    assert access["move"] == pytest.approx(100 * 3 / 8 * 2 / 20)
    assert (access["points"], access["points_by_fixes"]) == (3.75, 3.75)
    assert (access["resources_fixed"], access["resources_broken"], access["subscriptions"]) == (2, 0, 1)
    assert network["control"] == "network"
    assert network["move"] == pytest.approx(100 * 1 / 8 * (0.75 - 0.5))
    assert network["points_by_controls"] == network["points"]
    assert rest["control_id"] is None
    assert rest["move"] == pytest.approx(100 * (4 / 8 - 0.5 * 4 / 8))
    assert (rest["subscriptions_came"], rest["subscriptions_went"]) == (1, 0)


def test_weights_alone_are_a_line_and_nothing_is_none(store):
    store_day(store, 0, {A: (1, {"access": (10, 5, 5)}), B: (1, {"access": (10, 10, 0)})})
    store_day(store, 7, {A: (3, {"access": (10, 5, 5)}), B: (1, {"access": (10, 10, 0)})})
    (rest,) = explain(store)[TENANT].causes
    assert (rest["points"], rest["subscriptions_came"], rest["subscriptions_went"]) == (-12.5, 0, 0)
    store_day(store, 14, {A: (3, {"access": (10, 5, 5)}), B: (1, {"access": (10, 10, 0)})})
    move = explain(store)[TENANT]
    assert (move.points, move.causes) == (0, [])


def test_before_a_week_has_passed_the_first_day_counts(store):
    store_day(store, 0, {A: (1, {"access": (10, 5, 5)})})
    move = explain(store)[TENANT]
    assert (move.points, move.causes, move.has_week) == (0, [], False)
    store_day(store, 2, {A: (1, {"access": (10, 6, 4)})})
    move = explain(store)[TENANT]
    assert (move.points, move.has_week) == (10, False)
    check_sums(move)


def test_a_maximum_that_changes_is_a_cause_of_its_own(store):
    store_day(store, 0, {A: (1, {"access": (10, 5, 5), "updates": (10, 10, 0)})})
    store_day(store, 7, {A: (1, {"access": (4, 5, 5), "updates": (10, 10, 0)})})
    (access,) = explain(store)[TENANT].causes
    assert access["points"] == access["points_by_maximum"] == 10.71  # 75 % to 12 / 14
    check_sums(explain(store)[TENANT])


@pytest.mark.slow
def test_the_causes_of_a_large_tenant_add_up_on_every_day(local_azure, store):
    """Subscriptions come, leave and fail; controls come, go and change their maximum."""
    from secscore_pipeline_tests.posture.test_posture import snapshot

    azure = local_azure(World(seed=5, subscriptions=8, mixed=True))
    explained = set()
    for number in range(12):
        azure.world.simulate_until((FIRST + timedelta(days=number)).date())
        if number == 5:
            azure.world.add_subscription(C)
        if number == 9:
            next(iter(azure.world.subscriptions.values())).state = State.FORBIDDEN
        snapshot(store, azure, FIRST + timedelta(days=number))
        (move,) = explain(store).values()
        check_sums(move)
        explained |= {
            (cause["control_id"] is None, *(part for part in PARTS if cause[f"points_by_{part}"]))
            for cause in move.causes
        }
    assert {True, False} == {is_rest for is_rest, *_ in explained}
