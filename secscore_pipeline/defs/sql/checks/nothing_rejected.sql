-- One row: a raw record of the newest run that cannot become a finding, and why.
select
    selected_fetches.subscription_id,
    selected_fetches.event_type,
    observations.page,
    observations.position,
    parsed.rejection as reason
from selected_fetches
join internal.observations as observations using (fetch_id)
join internal.parsed_versions as parsed using (version_id)
where parsed.rejection is not null
union all
select
    seen_spans.subscription_id,
    'assessments' as event_type,
    seen_spans.page,
    seen_spans.position,
    parsed.rejection as reason
from spans_seen('assessments') as seen_spans
join internal.parsed_assessments as parsed using (version_id)
where parsed.rejection is not null;
