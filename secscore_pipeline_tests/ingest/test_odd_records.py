"""Whatever JSON stands where a record should be: it is kept as received, and no finding of it is invalid OCSF."""

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from secscore_pipeline.clock import utc_now
from secscore_pipeline.emulator.world import World
from secscore_pipeline.ocsf.mapping import Normalization
from secscore_pipeline.ocsf.validation import build_event, find_problems
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.connection import open_for_writing
from secscore_pipeline.warehouse.store import normalize
from secscore_pipeline_tests.conftest import failed_checks
from secscore_pipeline_tests.fuzzing.records import RECORDS
from secscore_pipeline_tests.support.records import load_records

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"


def lists_of(*event_types):
    return st.fixed_dictionaries({name: st.lists(RECORDS[name], min_size=1, max_size=8) for name in event_types})


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    lists=st.one_of(
        lists_of("secure_scores"), lists_of("secure_score_controls"), lists_of("assessments", "assessment_metadata")
    )
)
@example(lists={"secure_score_controls": ['{"id": "0", "properties": {"unhealthyResourceCount": 1}}']})
@example(lists={"assessments": ['{"id": "0", "name": "0"}', '{"id": "1", "name": "0", "properties": {"status": 5}}']})
def test_any_json_in_and_only_valid_findings_out(tmp_path_factory, lists):
    path = tmp_path_factory.mktemp("odd") / "odd.duckdb"
    with open_for_writing(path) as connection:
        records = {event_type: {SUBSCRIPTION: texts} for event_type, texts in lists.items()}
        load_records(connection, path, "run", utc_now(), records)
        added = normalize(connection, Normalization().build_mapping())
        for event_type, texts in lists.items():
            stored = connection.execute(f"select record from raw.{event_type} order by position").fetchall()
            assert [text for (text,) in stored] == texts
        rejected = connection.execute("select count(*) from raw.rejected").fetchone()
        healthy = connection.execute(
            "select count(*) from internal.recommendation_events where activity_id is null"
        ).fetchone()
        assert connection.execute(load_sql("ocsf/count_findings")).fetchall() == [(added,)]
        findings = [
            build_event(row)
            for (row,) in connection.execute("select to_json(f) from ocsf.assessment_findings as f").fetchall()
        ]
    assert added == len(findings)
    read = sum(len(texts) for event_type, texts in lists.items() if event_type != "assessment_metadata")
    assert added + healthy[0] + rejected[0] == read
    assert [find_problems(finding) for finding in findings if find_problems(finding)] == []


def test_a_bad_record_is_set_aside_with_its_reason_and_stops_nobody(local_azure, store):
    azure = local_azure(World(subscriptions=2))
    first = next(iter(azure.world.subscriptions))
    good = json.dumps({"id": "/x/secureScores/ascScore", "name": "ascScore"})
    azure.arm.verbatim[first, "secureScores"] = f'{{"value":[{good},5,{{"name":"no id"}},{good}]}}'.encode()
    store.use(azure)
    result = store.sync()
    assert not next(c.passed for c in result.get_asset_check_evaluations() if c.check_name == "nothing_rejected")
    assert store.query("select position, reason from raw.rejected order by position") == [
        (2, "the record is no JSON object"),
        (3, "the record has no id"),
        (4, "the run holds a record with this id already"),
    ]
    assert store.one("select count(*) from raw.secure_scores") == 5
    with store.warehouse.get_reader() as connection:
        message = connection.execute(
            "select message, compliance.status, severity from ocsf.assessment_findings where finding_info.title is null"
        ).fetchall()
    assert message == [("ascScore: no score reported", "Warning", "Unknown")]


@pytest.mark.slow
def test_ten_megabytes_of_text_in_one_record(local_azure, store):
    azure = local_azure(World(subscriptions=1))
    (only,) = azure.world.subscriptions
    record = {"id": "/x/secureScores/ascScore", "name": "ascScore", "properties": {"displayName": "é" * 5_000_000}}
    azure.arm.verbatim[only, "secureScores"] = json.dumps({"value": [record]}, ensure_ascii=False).encode()
    store.use(azure)
    store.sync()
    longest = "select max(length(finding_info.title)) from ocsf.assessment_findings"
    assert store.one(longest) == 5_000_000


@pytest.mark.slow
def test_new_fields_and_changed_types_are_reported_as_drift(local_azure, store):
    azure = local_azure(World(subscriptions=2))
    store.use(azure)
    assert not {name for name in failed_checks(store.sync()) if "drift" in name}
    first = next(iter(azure.world.subscriptions))
    record = {
        "id": "/x/secureScores/ascScore",
        "name": "ascScore",
        "properties": {"score": {"max": "58", "current": 3.5, "rank": 1}, "weight": None},
        "etag": "new",
    }
    azure.arm.verbatim[first, "secureScores"] = json.dumps({"value": [record]}).encode()
    result = store.sync()
    assert "secure_scores: schema_drift" in failed_checks(result)
    assert "secure_score_controls: schema_drift" not in failed_checks(result)
    (check,) = (
        check
        for check in result.get_asset_check_evaluations()
        if check.check_name == "schema_drift" and not check.passed
    )
    drifted = {row.data["field"]: row.data["received"] for row in check.metadata["examples"].records}
    assert drifted["$.etag"] == "TEXT"
    assert drifted["$.properties.score.rank"] == "NUMBER"
    assert drifted["$.properties.score.max"] in ("TEXT", "MIXED")
    assert "$.properties.weight" not in drifted
