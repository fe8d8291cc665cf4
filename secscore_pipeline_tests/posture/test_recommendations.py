"""The views of recommendations, held against numbers that can be worked out by hand."""

import json

import pytest

from secscore_pipeline_tests.support.recommendations import (
    DISK,
    MFA,
    RecommendationStore,
    make_assessment,
    make_control,
    make_metadata,
)

METADATA = [
    make_metadata(MFA, severity="High", implementationEffort="Low", remediationDescription="<p>Turn it on.</p>"),
    make_metadata(DISK, severity="Medium", implementationEffort="High"),
]


@pytest.fixture
def days(store):
    """Return a store that is filled day by day."""
    return RecommendationStore(store)


def test_the_cheapest_points_are_those_of_resources_with_one_recommendation_left(days):
    days.sync(
        {
            "secure_score_controls": [make_control(2, 3, [MFA.upper(), DISK])],
            "assessments": [
                make_assessment(MFA, "a"),  # its only one
                make_assessment(DISK, "a", "Healthy"),
                make_assessment(MFA, "b"),  # one of two
                make_assessment(DISK, "b"),
                make_assessment(DISK, "c"),  # its only one; the other does not apply
                make_assessment(MFA, "c", "NotApplicable", cause="OffByPolicy"),
                make_assessment(MFA, "d", "Healthy"),
                make_assessment(DISK, "e", "NotApplicable", cause="Exempt"),
            ],
            "assessment_metadata": METADATA,
        }
    )
    cheapest = days.query(
        "select resource_name, recommendation, control, potential_increase from posture.last_unhealthy order by all"
    )
    assert cheapest == [
        ("a", MFA, "Protect storage", 2.0),
        ("c", DISK, "Protect storage", 2.0),
    ]
    rows = days.query(
        "select recommendation, severity, effort, unhealthy_resources, healthy_resources, not_applicable_resources, "
        "exempt_resources, potential_increase, is_scored, remediation from posture.recommendations order by all"
    )
    assert rows == [
        (MFA, "High", "Low", 2, 1, 1, 0, 2.0, True, "Turn it on."),
        (DISK, "Medium", "High", 2, 1, 0, 1, 2.0, True, None),
    ]


def test_previews_and_what_is_in_no_control_never_count_for_points(days):
    other = "aaaaaaaa-0000-4000-8000-000000000003"
    days.sync(
        {
            "secure_score_controls": [make_control(2, 1, [MFA, DISK])],
            "assessments": [make_assessment(MFA, "a"), make_assessment(DISK, "a"), make_assessment(other, "b")],
            "assessment_metadata": [make_metadata(MFA, preview=True), make_metadata(DISK), make_metadata(other)],
        }
    )
    assert days.query("select resource_name, recommendation_id from posture.last_unhealthy") == [("a", DISK)]
    scored = days.query(
        "select recommendation_id, is_scored, potential_increase from posture.recommendations order by all"
    )
    assert scored == [(MFA, False, None), (DISK, True, 3.33), (other, False, None)]
    unhealthy = "select recommendation_id, is_preview, is_scored from posture.unhealthy_resources order by all"
    assert days.query(unhealthy) == [(MFA, True, False), (DISK, False, True), (other, False, False)]


def test_a_list_of_metadata_describes_both_tenants_of_a_subscription_that_moves(days):
    lists = {"assessments": [make_assessment(MFA, "a")], "assessment_metadata": METADATA}
    days.sync(lists)
    before, days.tenant_id = days.tenant_id, "00000000-0000-0000-0000-0000000000bb"
    days.sync(lists)
    assert days.query("select tenant_id, severity from posture.recommendations") == [(days.tenant_id, "High")]
    changed = days.query("select tenant_id, change, severity from posture.recommendation_changes")
    assert changed == [(before, "came", "High")]


def test_what_metadata_says_since_a_subscription_has_moved_is_not_said_of_the_tenant_before(days):
    lists = {"assessments": [make_assessment(MFA, "a")], "assessment_metadata": METADATA}
    days.sync(lists)
    days.tenant_id = "00000000-0000-0000-0000-0000000000bb"
    days.sync({**lists, "assessment_metadata": [make_metadata(MFA, severity="Low")]})
    assert days.query("select severity from posture.recommendations") == [("Low",)]
    assert days.query("select severity from posture.recommendation_changes") == [("High",)]


def test_one_resource_written_in_two_cases_is_one_resource(days):
    upper = json.loads(json.dumps(make_assessment(DISK, "a")).replace("/RG/", "/rg/"))
    days.sync(
        {
            "secure_score_controls": [make_control(1, 1, [MFA, DISK])],
            "assessments": [make_assessment(MFA, "a"), upper],
            "assessment_metadata": METADATA,
        }
    )
    assert days.query("from posture.last_unhealthy") == []
    assert days.query("select distinct resource_group from posture.unhealthy_resources") == [("rg",)]


def test_how_long_findings_stay_open_counts_azures_dates_where_it_gives_them(days):
    days.sync(
        {
            "assessments": [
                make_assessment(MFA, "a", statusChangeDate="2026-10-02T05:00:00.0000000Z"),
                make_assessment(MFA, "b"),
                make_assessment(MFA, "c", statusChangeDate="2026-07-01T05:00:00.0000000Z"),
            ],
            "assessment_metadata": METADATA,
        }
    )
    days.sync(
        {
            "assessments": [
                make_assessment(MFA, "a", "Healthy", statusChangeDate="2026-11-01T05:00:00.0000000Z"),
                make_assessment(MFA, "b", "Healthy"),
                make_assessment(MFA, "c", statusChangeDate="2026-07-01T05:00:00.0000000Z"),
            ]
        }
    )
    (row,) = days.query("select * exclude (tenant_id) from posture.time_to_fix")
    assert row == ("High", 2, 15.5, 27.1, 1, 0, 0, 0, 1)
    assert days.query("select days from posture.unhealthy_resources") == [(124,)]


def test_history_counts_the_resources_of_each_state_after_each_change(days):
    states = [["Unhealthy", "Healthy"], ["Unhealthy", "Unhealthy"], ["Unhealthy", "Unhealthy"], ["Healthy"]]
    for codes in states:
        days.sync({"assessments": [make_assessment(MFA, "abc"[place], code) for place, code in enumerate(codes)]})
    history = days.query(
        "select day, unhealthy_resources, healthy_resources from posture.recommendation_history order by all"
    )
    assert [(day.day, unhealthy, healthy) for day, unhealthy, healthy in history] == [(1, 1, 1), (2, 2, 0), (4, 0, 1)]


def test_each_view_of_what_is_current_leaves_out_a_subscription_that_left(days):
    days.sync(
        {
            "secure_score_controls": [make_control(1, 1, [MFA])],
            "assessments": [make_assessment(MFA, "a")],
            "assessment_metadata": METADATA,
        }
    )
    views = ("recommendations", "unhealthy_resources", "last_unhealthy")
    assert [days.query(f"select count(*) from posture.{view}") for view in views] == [[(1,)]] * 3
    days.leave()
    assert [days.query(f"select count(*) from posture.{view}") for view in views] == [[(0,)]] * 3
    left = days.query("select change, state_before, state from posture.recommendation_changes order by observed_at")
    assert left == [("came", None, "unhealthy"), ("left", "unhealthy", None)]


def test_a_control_that_counts_otherwise_than_its_recommendations_is_found(days):
    from secscore_pipeline.system.sql_files import load_sql
    from secscore_pipeline.warehouse.statements import execute, select_rows

    old = {"statusChangeDate": "2026-01-01T00:00:00.0000000Z"}
    days.sync(
        {
            "secure_score_controls": [make_control(1, 2, [MFA])],
            "assessments": [make_assessment(MFA, "a", **old), make_assessment(MFA, "b", "Healthy", **old)],
        }
    )
    with days.open() as connection:
        execute(connection, load_sql("defs/select_fetches"), {"run_id": "run-0"})
        (found,) = select_rows(connection, load_sql("defs/checks/counts_agree"))
    assert (found["of_the_control"], found["of_its_recommendations"], found["changed_within_a_day"]) == (2, 1, 0)
    days.sync(
        {
            "secure_score_controls": [make_control(1, 2, [MFA])],
            "assessments": [
                make_assessment(MFA, "a", **old),
                make_assessment(MFA, "b", "NotApplicable"),
                make_assessment(MFA, "c", "Healthy", statusChangeDate="2026-11-02T01:00:00.0000000Z"),
            ],
        }
    )
    with days.open() as connection:
        execute(connection, load_sql("defs/select_fetches"), {"run_id": "run-1"})
        assert select_rows(connection, load_sql("defs/checks/counts_agree")) == []
