-- One row: a record id that a look of the newest snapshot saw more than once.
select fetches.subscription_id, sightings.page, sightings.position, bodies.occurrence, count(*) as times
from raw.sightings as sightings
join looked as fetches using (look_id)
join raw.bodies as bodies using (body_id)
where fetches.event_type = $event_type
group by all
having bodies.occurrence > 1 or times > 1;
