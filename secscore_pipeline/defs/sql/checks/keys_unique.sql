-- One row: a record id that a fetch of the newest run saw more than once.
select fetches.subscription_id, observations.page, observations.position, versions.occurrence, count(*) as times
from internal.observations as observations
join selected_fetches as fetches using (fetch_id)
join internal.record_versions as versions using (version_id)
where fetches.event_type = $event_type
group by all
having versions.occurrence > 1 or times > 1;
