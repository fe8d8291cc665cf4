-- One row: one raw record that cannot become a finding, and why.
create or replace view raw.rejected as
select
    fetches.snapshot_id,
    fetches.subscription_id,
    fetches.event_type,
    sightings.page,
    sightings.position,
    states.rejection as reason
from ocsf.states as states
join raw.sightings as sightings using (body_id)
join raw.fetches as fetches using (look_id)
join ocsf.normalized_snapshots as normalized
    on normalized.snapshot_id = fetches.snapshot_id
    and normalized.event_type = fetches.event_type
where states.rejection is not null;

comment on view raw.rejected is 'One row: one raw record that cannot become a finding, and why. The record itself stays in its raw table.';
