-- Makes temp.exported_observations and temp.exported_changes: what was observed on a day (UTC), in the columns of
-- ocsf.observations and internal.recommendation_changes.
create or replace temp table exported_fetches as
select fetches.*
from internal.fetches_and_departures as fetches
join internal.normalized_fetches as normalized using (run_id, event_type)
where internal.day_of(fetches.observed_at) = $day;

create or replace temp table exported_observations as
from internal.observations_at('exported_fetches');

create or replace temp table exported_changes as
from internal.recommendation_events_at('exported_fetches');
