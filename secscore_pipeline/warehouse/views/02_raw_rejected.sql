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
where parsed.rejection is not null;

comment on view raw.rejected is 'One row: one raw record that cannot become a finding, and why. The record itself stays in its raw table.';
