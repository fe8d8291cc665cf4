-- One row: one look of a run. What is asked of a run starts from this table, so that nothing else is read.
create or replace temp table looked as
select *
from raw.fetches
where snapshot_id = $snapshot_id;

-- One row: one record that a look of the run at an event type saw.
create or replace temp macro bodies_seen(kind) as table
select sightings.body_id
from raw.sightings as sightings
join looked using (look_id)
where looked.event_type = kind;
