"""What must be true of stored recommendations, whatever happened to the runs that stored them."""

from pathlib import Path

import duckdb

from secscore_pipeline.ocsf.mapping import Normalization
from secscore_pipeline.warehouse.store import delete_findings, normalize
from secscore_pipeline_tests.fuzzing.stores import warehouse_in

_WRONG = {
    "a version with two open spans": """
        select version_id from internal.record_spans where ended_fetch_id is null group by version_id having count(*) > 1""",
    "a span that ends before it begins": """
        select version_id from internal.record_spans where ended_fetch_id <= first_fetch_id""",
    "a span of a fetch that is not stored": """
        with ends as (
            select first_fetch_id as fetch_id from internal.record_spans
            union all
            select ended_fetch_id from internal.record_spans where ended_fetch_id is not null
        )
        select fetch_id from ends anti join internal.fetches_and_departures using (fetch_id)""",
    "a span of a record that is not stored": """
        select version_id from internal.record_spans anti join internal.record_versions using (version_id)""",
    "a list whose open spans are not what its newest whole fetch read": """
        with newest as (
            select event_type, subscription_id, max_by(records, fetch_id) as records
            from internal.fetches_and_departures
            where outcome in ('complete', 'no_score', 'left') and event_type in ('assessments', 'assessment_metadata')
            group by event_type, subscription_id
        ),
        open_spans as (
            select event_type, subscription_id, count(*) as spans
            from internal.record_spans
            where ended_fetch_id is null
            group by event_type, subscription_id
        )
        select newest.*, open_spans.spans
        from newest
        full join open_spans using (event_type, subscription_id)
        where coalesce(newest.records, 0) <> coalesce(open_spans.spans, 0)""",
    "an unhealthy resource without an open finding": """
        with newest_events as (
            select finding_id, max_by(activity_id, fetch_id) as activity_id
            from internal.recommendation_events
            where activity_id is not null
            group by finding_id
        )
        select current.finding_id
        from internal.current_assessments as current
        left join newest_events using (finding_id)
        where current.state = 'unhealthy' and coalesce(newest_events.activity_id, 3) = 3""",
}
"""What there may be no row of."""

_FINDINGS = """
    select metadata.uid, activity_name, status, severity, metadata.log_version, message
    from ocsf.assessment_findings
    where metadata.event_code = 'assessments'
    order by all"""


def check_recommendations(folder: Path) -> None:
    """Fail where the recommendations in a store contradict each other, or the findings are not those of a rebuild.

    Args:
        folder: of the store, whose last command has ended well.
    """
    warehouse = warehouse_in(folder)
    with warehouse.get_published() as published:
        contradict_nothing(published)
        shown = published.execute(_FINDINGS).fetchall()
    with warehouse.get_connection() as opened:
        contradict_nothing(opened)
        stored = opened.execute(_FINDINGS).fetchall()
        assert stored, "no recommendation is unhealthy: nothing was checked"
        delete_findings(opened)
        normalize(opened, Normalization().build_mapping())
        rebuilt = opened.execute(_FINDINGS).fetchall()
    assert shown == stored, f"published are {len(shown)} findings of recommendations, and {len(stored)} are stored"
    differing = set(stored) ^ set(rebuilt)
    assert stored == rebuilt, f"a rebuild changes {len(differing)} findings of recommendations: {sorted(differing)[:2]}"


def contradict_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    """Fail where the recommendations in a store contradict each other."""
    for what, query in _WRONG.items():
        found = connection.execute(query).fetchall()
        assert not found, f"{len(found)} times {what}: {found[:3]}"
