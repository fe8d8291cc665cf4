-- One row: an event type that was read in the newest run, though nothing came of it.
with normalized_types as (
    select observations.event_type
    from selected_observations as observations
    union
    select 'assessments' as event_type
    from spans_seen('assessments') as seen_spans
    semi join internal.parsed_assessments as parsed using (version_id)
    union
    select 'assessment_metadata' as event_type
    from spans_seen('assessment_metadata') as seen_spans
    semi join internal.parsed_metadata as parsed using (version_id)
)
select fetches.event_type, sum(fetches.records) as records
from selected_fetches as fetches
anti join normalized_types using (event_type)
where fetches.outcome = 'complete'
group by fetches.event_type
having sum(fetches.records) > 0;
