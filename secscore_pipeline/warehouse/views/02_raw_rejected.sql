-- One row: one raw record that cannot become a finding, and why.
create or replace view raw.rejected as
select
    fetches.run_id,
    fetches.subscription_id,
    fetches.event_type,
    observations.page,
    observations.position,
    parsed.rejection as reason
from internal.parsed_versions as parsed
join internal.observations as observations using (version_id)
join raw.fetches as fetches using (fetch_id)
join internal.normalized_fetches as normalized
    on normalized.run_id = fetches.run_id
    and normalized.event_type = fetches.event_type
where parsed.rejection is not null
union all
select
    fetches.run_id,
    spans.subscription_id,
    spans.event_type,
    spans.page,
    spans.position,
    parsed.rejection as reason
from internal.parsed_assessments as parsed
join internal.record_spans as spans using (version_id)
join raw.fetches as fetches on fetches.fetch_id = spans.first_fetch_id
where parsed.rejection is not null;

comment on view raw.rejected is 'One row: one raw record that cannot become a finding, and why. The record itself stays in its raw table.';
comment on column raw.rejected.run_id is 'The run that read it (Dagster run id).';
comment on column raw.rejected.subscription_id is 'The subscription, lower case.';
comment on column raw.rejected.event_type is 'secure_scores or secure_score_controls.';
comment on column raw.rejected.page is 'The page it came on, from 1.';
comment on column raw.rejected.position is 'Its place on the page, from 1.';
comment on column raw.rejected.reason is 'Why it cannot be a finding.';
