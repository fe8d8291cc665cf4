"""Recommendations on resources: stored as they change, and events of what is new, changed or gone."""

import json
import random

import msgspec
import pytest

from secscore_pipeline.ocsf.plain_text import LONGEST, convert_html
from secscore_pipeline.ocsf.validation import build_event, find_problems
from secscore_pipeline.warehouse.store import delete_findings, delete_old_fetches
from secscore_pipeline_tests.support.recommendations import (
    CONTROL,
    DISK,
    FIRST,
    MFA,
    SUBSCRIPTION,
    RecommendationStore,
    make_assessment,
    make_control,
    make_metadata,
)

EVENTS = (
    "select day_number, resource, activity_name, status, severity from (select "
    f"date_diff('day', timestamptz '{FIRST.isoformat()}', time_dt) as day_number, resources[1].name as resource, "
    "activity_name, status, severity from ocsf.assessment_findings where metadata.event_code = 'assessments') "
    "order by all"
)
STORED = "select * from internal.recommendation_events order by all"


@pytest.fixture
def days(store):
    """Return a store that is filled day by day."""
    return RecommendationStore(store)


def test_an_event_is_what_is_new_changed_or_gone_and_no_poll_of_a_healthy_resource(days):
    days.sync({"assessments": [make_assessment(MFA, "a"), make_assessment(MFA, "b", "Healthy")]})
    days.sync(
        {"assessments": [make_assessment(MFA, "a"), make_assessment(MFA, "b", "Healthy", description="checked again")]}
    )
    days.sync({"assessments": [make_assessment(MFA, "a", "Healthy"), make_assessment(MFA, "b")]})
    days.sync({"assessments": [make_assessment(MFA, "a", "NotApplicable", cause="Exempt")]})
    assert days.query(EVENTS) == [
        (0, "a", "Create", "New", "Unknown"),
        (2, "a", "Update", "Resolved", "Informational"),
        (2, "b", "Create", "New", "Unknown"),
        (3, "a", "Update", "Suppressed", "Informational"),
        (3, "b", "Close", "Resolved", "Unknown"),
    ]
    changes = days.query(
        "select change, resource_name from posture.recommendation_changes order by observed_at, resource_name"
    )
    assert changes == [("came", "a"), ("came", "b"), ("fixed", "a"), ("broke", "b"), ("exempted", "a"), ("went", "b")]


def test_a_failed_fetch_closes_nothing_and_keeps_nothing(days):
    days.sync({"assessments": [make_assessment(MFA, "a")]})
    before = days.query("select count(*) from internal.record_versions")
    assert days.sync({"assessments": None}) == 0
    assert days.query("select count(*) from posture.unhealthy_resources") == [(1,)]
    assert days.query("select count(*) from internal.record_versions") == before
    assert days.sync({"assessments": [make_assessment(MFA, "a")]}) == 0


def test_a_departure_closes_findings_with_its_reason_and_a_return_opens_them(days):
    days.sync({"assessments": [make_assessment(MFA, "a")]})
    days.leave()
    assert days.query("select count(*) from posture.unhealthy_resources") == [(0,)]
    ((detail,),) = days.query("select status_detail from ocsf.assessment_findings where activity_name = 'Close'")
    assert detail.startswith("Closed because the subscription was deleted, not because it was fixed")
    days.sync({"assessments": [make_assessment(MFA, "a")]})
    assert days.query("select count(*) from posture.unhealthy_resources") == [(1,)]
    assert [row[2] for row in days.query(EVENTS)] == ["Create", "Close", "Update"]


def test_a_finding_names_the_api_version_in_which_its_fetch_was_read(days):
    for version, status in (("2020-01-01", "Unhealthy"), ("2021-06-01", "Healthy"), ("2025-05-04", "Unhealthy")):
        days.api_version = version
        days.sync({"assessments": [make_assessment(MFA, "a", status)]})
    days.sync({"assessments": None})
    days.leave()  # what it leaves is as the last complete fetch read it
    found = days.query(
        "select activity_name, metadata.log_version, split_part(finding_info.src_url, '?', 2) "
        "from ocsf.assessment_findings order by time"
    )
    assert found == [
        ("Create", "2020-01-01", "api-version=2020-01-01"),
        ("Update", "2021-06-01", "api-version=2021-06-01"),
        ("Update", "2025-05-04", "api-version=2025-05-04"),
        ("Close", "2025-05-04", "api-version=2025-05-04"),
    ]


def test_what_stays_the_same_costs_no_row(days):
    many = [make_assessment(MFA, f"r{number}", "Healthy") for number in range(200)]
    days.sync({"assessments": many})
    tables = ("record_versions", "record_spans", "parsed_assessments", "recommendation_events", "latest_versions")
    sizes = "select " + ", ".join(f"(select count(*) from internal.{table})" for table in tables)
    before = days.query(sizes)[0]
    for _ in range(3):
        days.sync({"assessments": many})
    assert days.query(sizes)[0] == before
    days.sync({"assessments": [make_assessment(MFA, "r0"), *many[1:]]})
    assert [after - size for after, size in zip(days.query(sizes)[0], before, strict=True)] == [1, 1, 1, 1, 0]
    assert days.query("select records from raw.fetches where fetch_id = 5") == [(200,)]


def test_raw_assessments_hold_each_version_byte_for_byte_and_how_long_it_lasted(days):
    text = json.dumps(make_assessment(MFA, "a"), indent=1) + " "
    days.sync({"assessments": [text]})
    days.sync({"assessments": [make_assessment(MFA, "a", "Healthy")]})
    (first, second) = days.query("select record, observed_at, ended_at from raw.assessments order by observed_at")
    assert first[0] == text
    assert first[2] == second[1]
    assert second[2] is None


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("[]", "the record is no JSON object"),
        ('{"name": "x", "properties": {}}', "the record has no id"),
        ('{"id": "/subscriptions/x", "properties": {}}', "the record has no name"),
    ],
)
def test_a_record_that_cannot_be_a_finding_says_why_and_costs_itself_alone(days, record, reason):
    days.sync({"assessments": [record, make_assessment(MFA, "a")]})
    assert days.query("select reason, position from raw.rejected") == [(reason, 1)]
    assert days.query("select count(*) from posture.unhealthy_resources") == [(1,)]


def test_two_records_with_one_id_are_one_finding(days):
    days.sync({"assessments": [make_assessment(MFA, "a"), make_assessment(MFA, "a", "Healthy")]})
    assert days.query("select resource_name, severity from posture.unhealthy_resources") == [("a", None)]
    assert days.query("select reason from raw.rejected") == [("the run holds a record with this id already",)]


SCORE = {"id": f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/secureScores/ascScore", "name": "ascScore"}
AS_ASSESSMENT = {**make_assessment(MFA, "a"), "id": SCORE["id"]}


@pytest.mark.parametrize("first", ["secure_scores", "assessments"])
@pytest.mark.parametrize("runs", [1, 2])
def test_an_id_belongs_to_the_event_type_that_it_was_first_seen_with(days, first, runs):
    lists = {"secure_scores": [SCORE], "assessments": [AS_ASSESSMENT, make_assessment(DISK, "b")]}
    (second,) = lists.keys() - {first}
    if runs == 2:
        days.sync({first: lists[first]})
        days.sync({second: lists[second]})
    else:
        days.sync({first: lists[first], second: lists[second]})
    reason = "the id belongs to a record of another event type or subscription"
    assert days.query("select event_type, reason from raw.rejected") == [(second, reason)]
    event = "select metadata.event_code = 'assessments', finding_info.uid, message"
    found = f"{event} from ocsf.assessment_findings order by all"
    events = days.query(found)
    assert [row[0] for row in events if row[1] == SCORE["id"].lower()] == [first == "assessments"]
    assert len(events) == 2
    with days.open() as connection:
        delete_findings(connection)
    days.normalize()
    assert days.query(found) == events


def test_an_id_belongs_to_the_subscription_that_it_was_first_seen_with(days):
    days.load({"assessments": [make_assessment(MFA, "a")]})
    days.load({"assessments": [make_assessment(MFA, "a", "Healthy")]}, "33333333-3333-4333-8333-333333333333")
    days.normalize()
    reason = "the id belongs to a record of another event type or subscription"
    assert days.query("select right(subscription_id, 1), reason from raw.rejected") == [("3", reason)]
    assert days.query("select subscription_id from posture.unhealthy_resources") == [(SUBSCRIPTION,)]
    assert [row[2] for row in days.query(EVENTS)] == ["Create"]


ODD = {
    "no resource": {"resourceDetails": None},
    "a resource that is text": {"resourceDetails": "x"},
    "additionalData that is no string": {"additionalData": {"a": 1, "b": [True]}},
    "a status that is text": {"status": "Unhealthy"},
    "no status": {"status": None},
    "a status that nobody knows": {"status": {"code": "Pending", "cause": 5}},
    "a risk that is text": {"risk": "High"},
    "a risk of texts": {"risk": {"level": "High", "riskFactors": "x", "attackPathsReferences": {}}},
    "a date that is none": {"status": {"code": "Unhealthy", "statusChangeDate": "yesterday", "firstEvaluationDate": 5}},
    "a date before all time": {"status": {"code": "Unhealthy", "firstEvaluationDate": "0001-01-01T00:00:00Z"}},
    "a date that seconds would be": {"status": {"code": "Unhealthy", "firstEvaluationDate": "1999-12-31T00:00:00Z"}},
    "a date after all plans": {"status": {"code": "Unhealthy", "statusChangeDate": "2300-01-01T00:00:00Z"}},
    "links that lead elsewhere": {"links": {"azurePortalUri": "javascript:alert(1)"}},
    "a name of HTML": {"displayName": "<script>alert(1)</script>"},
    "keys in two cases": {"resourceDetails": {"Id": "/subscriptions/a", "id": "/subscriptions/b", "Source": "Aws"}},
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_record_becomes_a_valid_finding_or_says_why_not(days, odd):
    record = make_assessment(MFA, "a")
    record["properties"].update(odd)
    days.sync({"assessments": [record, make_assessment(DISK, "b")]})
    events = days.query("select to_json(findings) from ocsf.assessment_findings as findings")
    assert len(events) == 2 - len(days.query("from raw.rejected"))
    for (event,) in events:
        assert find_problems(build_event(event)) == []


@pytest.mark.parametrize("name", [CONTROL, None])
def test_a_control_without_a_display_name_goes_by_its_own_name(days, name):
    control = make_control(1, 1, [MFA])
    definition = control["properties"]["definition"]
    for place, field in ((control["properties"], "displayName"), (definition["properties"], "displayName")):
        del place[field]
    control["name"] = definition["name"] = name
    days.sync({"secure_score_controls": [control], "assessments": [make_assessment(MFA, "a")]})
    query = "select to_json(f) from ocsf.assessment_findings as f where metadata.event_code = 'assessments'"
    ((row,),) = days.query(query)
    event = build_event(row)
    assert find_problems(event) == []
    assert event["compliance"].get("requirements") == ([name] if name else None)


def test_findings_say_what_to_do_how_hard_it_is_and_since_when(days):
    status = {"firstEvaluationDate": "2026-01-02T03:04:05.1234567Z", "statusChangeDate": "2026-02-03T04:05:06.7654321Z"}
    days.load(
        {
            "assessments": [make_assessment(MFA, "a", **status)],
            "assessment_metadata": [
                make_metadata(
                    MFA,
                    description="Accounts <b>need</b> it",
                    remediationDescription="Open the portal:&lt;br&gt;<ol><li>Users<li>Press On</ol><script>x</script>",
                    implementationEffort="Low",
                    userImpact="moderate",
                    threats=["AccountBreach"],
                    categories=["IdentityAndAccess"],
                )
            ],
        }
    )
    days.normalize()
    ((row,),) = days.query("select to_json(findings) from ocsf.assessment_findings as findings")
    event = build_event(row)
    assert find_problems(event) == []
    assert (event["severity"], event["compliance"]["status"]) == ("High", "Fail")
    assert " ".join(event["remediation"]["desc"].split()) == "Open the portal: 1. Users 2. Press On"
    assert event["finding_info"]["desc"] == "Accounts need it"
    assert event["finding_info"]["first_seen_time_dt"] == "2026-01-02T03:04:05.123Z"
    assert event["finding_info"]["modified_time_dt"] == "2026-02-03T04:05:06.765Z"
    assert event["unmapped"]["recommendation"]["implementation_effort"] == "Low"
    assert event["unmapped"]["recommendation"]["user_impact"] == "Moderate"
    resource = event["resources"][0]
    assert (resource["name"], resource["type"]) == ("a", "Microsoft.Compute/virtualMachines")
    assert resource["group"] == {"name": "rg"}
    assert event["resources"][1]["uid"] == f"/subscriptions/{SUBSCRIPTION}"


def test_a_rebuild_and_a_retention_leave_the_events_that_a_plain_run_has(days):
    chance = random.Random(7)
    for _ in range(12):
        records = [
            make_assessment(key, resource, chance.choice(["Healthy", "Unhealthy", "NotApplicable"]))
            for key in (MFA, DISK)
            for resource in "abcd"
            if chance.random() < 0.8
        ]
        days.sync({"assessments": None if chance.random() < 0.15 else records})
    before = days.query(EVENTS)
    assert len(before) > 20
    stored = days.query(STORED)
    with days.open() as connection:
        delete_findings(connection)
    days.normalize()
    assert days.query(EVENTS) == before
    assert len(days.query(STORED)) == len(stored)
    current = days.query("select * exclude (first_seen_at) from posture.unhealthy_resources order by all")
    with days.open() as connection:
        delete_old_fetches(connection, days.now.replace(day=8))
    assert days.query("select * exclude (first_seen_at) from posture.unhealthy_resources order by all") == current
    kept = [event for event in days.query(EVENTS) if event[0] >= 7]
    assert kept == [event for event in before if event[0] >= 7]
    after_retention = days.query(EVENTS)
    with days.open() as connection:
        delete_findings(connection)
    days.normalize()
    assert days.query(EVENTS) == after_retention


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("a &amp; b < c", "a & b < c"),
        ("one<br>two", "one\ntwo"),
        ("&lt;p&gt;one&lt;/p&gt;", "one"),
        ("<ul><li>one<li>two</ul>", "* one\n  * two"),
        ("<script>alert(1)</script>", ""),
        ("<a href='javascript:x()' onclick='y()'>here</a>", "here"),
        ("a<p style='Display: none'>b</p>", "a"),
        ("x" * 200_000, "x" * LONGEST),
    ],
)
def test_html_becomes_the_text_that_a_browser_shows(html, text):
    assert convert_html(html) == text


HOSTILE_HTML = {
    "an indent wider than any page": "a<p style='padding-left: 9999999em'>" * 500,
    "an indent of 400 digits": f"a<p style='padding-left: {'9' * 400}em'>",
    "a style in a style in a style": f"a<p style='{'style:' * 5000}'>",
    "a cell as wide as others are many": "a<table>" + "<tr><td>b" * 1000 + "<td>" + "c" * 9000,
    "escaped lists in lists": "a" + "&lt;ul&gt;&lt;li&gt;" * 2000,
}


@pytest.mark.parametrize("html", HOSTILE_HTML.values(), ids=HOSTILE_HTML)
def test_hostile_html_becomes_a_text_that_is_no_longer_than_any(html):
    text = convert_html(html)
    assert text.startswith("a")
    assert len(text) <= LONGEST


class _List(msgspec.Struct):
    value: list[msgspec.Raw]


def _read_recorded(path):
    return [bytes(record).decode() for record in msgspec.json.decode(path.read_bytes(), type=_List).value]


@pytest.mark.parametrize(
    "name", ["assessments.list.2020-01-01.powershell.json", "assessments.list.2020-01-01.cli.json"]
)
def test_recorded_assessments_are_stored_as_they_were_and_become_valid_findings(days, shared, name):
    folder = shared / "azure" / "recorded-more"
    records = _read_recorded(folder / name)
    metadata = _read_recorded(folder / "assessmentMetadata.list.2020-01-01.powershell.json")
    days.sync({"assessments": records, "assessment_metadata": metadata})
    stored = [row[0] for row in days.query("select record from raw.assessments order by position")]
    assert stored == records
    ids = [row[0] for row in days.query("select record_id from raw.assessments order by position")]
    assert ids == [json.loads(record)["id"] for record in records]
    assert [row[0] for row in days.query("select record from raw.assessment_metadata order by position")] == metadata
    assert days.query("from raw.rejected") == []
    parsed = days.query(
        "select finding_uid, recommendation_id, display_name, status_code, cause, status_description, resource_id "
        "from internal.parsed_assessments join internal.findings using (finding_id) order by version_id"
    )
    for record, row in zip(map(json.loads, records), parsed, strict=True):
        properties = record["properties"]
        status = properties["status"]
        resource = {name.lower(): value for name, value in properties["resourceDetails"].items()}
        assert row == (
            record["id"].lower(),
            record["name"].lower(),
            properties["displayName"],
            status["code"],
            status.get("cause"),
            status.get("description"),
            resource["id"],
        )
    events = [build_event(row) for (row,) in days.query("select to_json(f) from ocsf.assessment_findings as f")]
    unhealthy = [json.loads(record)["id"] for record in records if '"Unhealthy"' in record]
    assert sorted(event["metadata"]["original_event_uid"] for event in events) == sorted(unhealthy)
    assert [find_problems(event) for event in events] == [[] for _ in unhealthy]
    described = {json.loads(record)["name"]: json.loads(record)["properties"] for record in metadata}
    for row in days.query(
        "select recommendation_id, display_name, severity, assessment_type from internal.parsed_metadata"
    ):
        properties = described[row[0]]
        assert row[1:] == (properties["displayName"], properties["severity"], properties["assessmentType"])
