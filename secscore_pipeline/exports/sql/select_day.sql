-- Makes temp.exported: the observations of a day (UTC), in the columns of ocsf.observations.
create or replace temp table exported_looks as
select fetches.*
from ocsf.fetches_and_departures as fetches
join ocsf.normalized_snapshots as normalized using (snapshot_id, event_type)
where ocsf.day_of(fetches.observed_at) = $day;

create or replace temp table exported as
from ocsf.observations_at('exported_looks');
