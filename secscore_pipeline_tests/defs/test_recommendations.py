"""What Dagster's UI shows of recommendations: the worst of them, and numbers that it plots."""

from collections import Counter

import pytest

from secscore_pipeline.defs.assets.ocsf import FINDINGS, NAME_LENGTH, WORST
from secscore_pipeline.emulator.world import World
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.statements import execute
from secscore_pipeline_tests.support.recommendations import RecommendationStore
from secscore_pipeline_tests.support.runs import metadata_of


def test_a_materialization_shows_the_worst_recommendations_and_counts_open_findings(local_azure, store):
    store.use(
        local_azure(World(subscriptions=2)), SECSCORE_EVENT_TYPES="secure_scores,secure_score_controls,assessments"
    )
    metadata = metadata_of(store.sync(), FINDINGS)
    counted = dict(
        store.query("select coalesce(severity, 'Unknown'), count(*) from posture.unhealthy_resources group by all")
    )
    for severity in ("Critical", "High", "Medium", "Low", "Unknown"):
        assert metadata[f"open_{severity.lower()}"].value == counted.get(severity, 0)
    assert metadata["open_high"].value > 0
    rows = [record.data for record in metadata["recommendations"].records]
    assert len(rows) == WORST
    ranks = [["Critical", "High", "Medium", "Low", None].index(row["severity"]) for row in rows]
    assert ranks == sorted(ranks)
    first = rows[0]
    assert first["unhealthy"] == store.one(
        "select count(*) from posture.unhealthy_resources where severity = 'High' "
        "group by recommendation_id order by 1 desc limit 1"
    )
    assert list(first) == ["recommendation", "severity", "unhealthy", "oldest_days"]
    assert max(len(row["recommendation"]) for row in rows) <= NAME_LENGTH
    names = {name for (name,) in store.query("select recommendation from posture.recommendations")}
    assert all(any(name.startswith(row["recommendation"].removesuffix(" …")) for name in names) for row in rows)


def test_without_assessments_there_is_neither(local_azure, store):
    store.use(local_azure(World(subscriptions=1)))
    metadata = metadata_of(store.sync(), FINDINGS)
    assert "scores" in metadata
    assert not [name for name in metadata if name.startswith("open_") or name == "recommendations"]


def test_where_all_that_had_assessments_are_gone_there_is_neither(local_azure, store):
    azure = local_azure(World(subscriptions=2))
    first, second = azure.world.subscriptions
    store.use(azure, first, SECSCORE_EVENT_TYPES="secure_scores,assessments")
    assert "open_high" in metadata_of(store.sync(), FINDINGS)
    store.use(azure, second, SECSCORE_EVENT_TYPES="secure_scores")
    metadata = metadata_of(store.sync(), FINDINGS)
    assert store.one("select count(*) from internal.current_assessments") == 0
    assert not [name for name in metadata if name.startswith("open_") or name == "recommendations"]


_MANY_RECORDS = """
    insert into internal.record_versions (version_id, first_fetch_id, event_type, occurrence, record)
    select version_id, 1, 'assessments', 1, '{"field' || version_id || '": 1}'
    from range(2, $records + 1) as versions(version_id);
    insert into internal.record_spans (version_id, event_type, subscription_id, page, position, first_fetch_id)
    select version_id, 'assessments', subscription_id, 1, version_id, 1
    from range(2, $records + 1) as versions(version_id)
    cross join raw.fetches"""
"""Records beside the first one, each with a field of its own."""


@pytest.mark.parametrize(("records", "every"), [(19_999, 1), (20_000, 2), (45_000, 3)])
def test_of_many_new_records_a_sample_of_all_kinds_is_looked_at_for_drift(store, records, every):
    days = RecommendationStore(store)
    days.load({"assessments": ['{"field1": 1}']})
    with days.open() as connection:
        execute(connection, _MANY_RECORDS, {"records": records})
        execute(connection, load_sql("defs/select_fetches"), {"run_id": "run-0"})
        found = execute(
            connection, load_sql("defs/checks/spans_schema_drift"), {"event_type": "assessments"}
        ).fetchall()
    # Which of the places of each subscription's records: every so many would always be of one kind.
    places = Counter(int(field.removeprefix("$.field")) % every for field, _, _ in found)
    assert places.total() == (records if every == 1 else pytest.approx(records / every, rel=0.05))
    assert len(places) == every
    assert all(count == pytest.approx(places.total() / every, rel=0.1) for count in places.values())
