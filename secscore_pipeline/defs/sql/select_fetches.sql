-- One row: one fetch of a run. What is asked of a run starts from this table, so that nothing else is read.
create or replace temp table selected_fetches as
from raw.fetches
where run_id = $run_id;

-- One row: one record that one of those fetches saw.
create or replace temp macro versions_seen(kind) as table
select observations.version_id
from internal.observations as observations
join selected_fetches using (fetch_id)
where selected_fetches.event_type = kind;
