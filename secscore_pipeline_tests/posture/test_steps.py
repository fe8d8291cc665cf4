"""The first steps, held against arithmetic by hand."""

from datetime import UTC, datetime

import pytest

from secscore_pipeline.emulator.world import Counts, World
from secscore_pipeline.posture.steps import StepSubscription, list_steps
from secscore_pipeline_tests.support.records import (
    TENANT,
    make_assessment,
    make_control,
    make_guid,
    make_metadata,
    make_score,
    store_records,
)

A, B = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"
NOW = datetime(2026, 3, 1, 5, tzinfo=UTC)
CHANGED = datetime(2026, 2, 1, 4, 30, tzinfo=UTC)


def read_steps(store, **how):
    with store.warehouse.get_reader() as connection:
        return list_steps(connection, **how)


def lists_of(subscription, maximum, weight, controls, assessments):
    """Return the records of a subscription whose score has a maximum, half of which it reached."""
    return {
        "secure_scores": {subscription: [make_score(subscription, maximum / 2, maximum, weight)]},
        "secure_score_controls": {subscription: controls},
        "assessments": {subscription: assessments},
    }


def merge(*records):
    merged = {}
    for one in records:
        for event_type, lists in one.items():
            merged.setdefault(event_type, {}).update(lists)
    return merged


@pytest.fixture(scope="module")
def two_subscriptions(module_store):
    """Return a store with two subscriptions: A has three quarters of the weight and a maximum of 10, B of 20.

    Control `access` has 5 points for 10 resources in A and 4 points for 4 in B: a resource is worth 0.5 and 1 points.
    """
    recommendations = ("high effort", "low effort", "unknown effort", "preview", "both a", "both b")
    in_a = [
        make_assessment(A, "low effort", "vm-1", changed=CHANGED),
        make_assessment(A, "high effort", "vm-2"),
        make_assessment(A, "high effort", "vm-3"),
        make_assessment(A, "preview", "vm-4"),
        make_assessment(A, "both a", "vm-5"),
        make_assessment(A, "both b", "vm-5"),
        make_assessment(A, "outside", "vm-6"),
        make_assessment(A, "low effort", "vm-7", code="Healthy"),
    ]
    in_b = [
        make_assessment(B, "high effort", "vm-1"),
        make_assessment(B, "unknown effort", "vm-2"),
        make_assessment(B, "both a", "vm-3"),
    ]
    metadata = [
        make_metadata("low effort", "Low", remediationDescription="1. First<br>2. Second", severity="High"),
        make_metadata("high effort", "High", userImpact="High"),
        make_metadata("preview", "Low", preview=True),
        make_metadata("both a", "Moderate"),
        make_metadata("outside", "Low"),
    ]
    records = merge(
        lists_of(A, 10, 300, [make_control(A, "access", 5, 6, 4, recommendations)], in_a),
        lists_of(B, 20, 100, [make_control(B, "access", 4, 1, 3, recommendations)], in_b),
        {"assessment_metadata": {A: metadata}},
    )
    store_records(module_store, "run-1", NOW, records)
    return module_store


def test_a_gain_is_weighted_as_the_score_and_divided_by_the_effort(two_subscriptions):
    steps = read_steps(two_subscriptions)
    in_a, in_b = 100 * 0.75 * 0.5 / 10, 100 * 0.25 * 1 / 20  # percentage points of one resource
    ties = sorted(("both a", "unknown effort"), key=make_guid)  # 1.25 / 2 each: in A, another one is left on vm-5
    assert [step.recommendation for step in steps] == ["low effort", "high effort", *ties]  # 3.75 / 1; 8.75 / 3
    assert [step.rank for step in steps] == [1, 2, 3, 4]
    gains = {step.recommendation: step.gain for step in steps}
    assert gains == pytest.approx(
        {"low effort": in_a, "high effort": 2 * in_a + in_b, "both a": in_b, "unknown effort": in_b}
    )


def test_a_step_says_what_to_do_on_which_resources(two_subscriptions):
    steps = {step.recommendation: step for step in read_steps(two_subscriptions)}
    low = steps["low effort"]
    assert (low.tenant_id, low.control, low.effort, low.user_impact, low.severity) == (
        TENANT, "access", "Low", "Low", "High",
    )  # fmt: skip
    assert low.remediation == "1. First\n2. Second"
    (resource,) = low.resources
    assert (resource.name, resource.type, resource.resource_group) == (
        "vm-1",
        "Microsoft.Compute/virtualMachines",
        "rg",
    )
    assert (resource.subscription, resource.since, resource.gain) == (A, CHANGED, pytest.approx(3.75))
    assert resource.portal_url == (
        f"https://portal.azure.com/#@{TENANT}/resource/subscriptions/{A}/resourceGroups/RG/providers/"
        "Microsoft.Compute/virtualMachines/vm-1"
    )
    high = steps["high effort"]
    assert high.subscriptions == [StepSubscription(A, None, 2), StepSubscription(B, None, 1)]
    assert [one.subscription for one in high.resources] == [A, A, B]
    assert steps["unknown effort"].effort is None
    assert steps["unknown effort"].remediation is None


def test_a_resource_that_another_recommendation_keeps_unhealthy_is_listed_and_gains_nothing(two_subscriptions):
    both = {step.recommendation: step for step in read_steps(two_subscriptions)}["both a"]
    assert (both.gaining_resources, both.unhealthy_resources) == (1, 2)
    assert [(one.subscription, one.gain) for one in both.resources] == [(B, pytest.approx(1.25)), (A, 0)]
    assert both.subscriptions == [StepSubscription(B, None, 1)]


def test_no_more_steps_and_resources_come_than_were_asked_for(two_subscriptions):
    first, second = read_steps(two_subscriptions, most=2, resources=1)
    assert (first.rank, second.rank) == (1, 2)
    assert (len(second.resources), second.unhealthy_resources) == (1, 3)


@pytest.mark.slow
def test_the_steps_of_a_local_azure_fit_its_recommendations(local_azure, store):
    world = World(subscriptions=4, mixed=True)
    store.use(local_azure(world), SECSCORE_EVENT_TYPES="secure_scores,secure_score_controls,assessments")
    store.sync()
    steps = read_steps(store)
    assert [step.rank for step in steps] == [1, 2, 3, 4, 5]
    efforts = {"Low": 1, "Moderate": 2, "High": 3, None: 2}
    ratios = [step.gain / efforts[step.effort] for step in steps]
    assert ratios == sorted(ratios, reverse=True)
    total = store.one("select sum(weight) from posture.current_scores where score = 'ascScore'")
    for step in steps:
        by_views = store.one(
            "select sum(potential_increase_percent * weight) from posture.recommendations "
            "join posture.current_scores using (subscription_id) where score = 'ascScore' and recommendation_id = ?",
            step.recommendation_id,
        )
        assert step.gain == pytest.approx(by_views / total, abs=0.01)
        assert {one.owner for one in step.subscriptions} <= set(step.owners)
        assert step.owners


@pytest.mark.slow
def test_without_assessments_there_is_no_step(local_azure, store):
    world = World(subscriptions=1)
    for subscription in world.subscriptions.values():
        subscription.counts = dict.fromkeys(subscription.counts, Counts(1, 1, 0))
    store.use(local_azure(world))
    store.sync()
    assert store.one("select count(*) from posture.opportunities") > 0
    assert read_steps(store) == []
