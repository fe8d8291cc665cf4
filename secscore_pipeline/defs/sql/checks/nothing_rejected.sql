-- One row: a raw record of the newest snapshot that cannot become a finding, and why.
select looked.subscription_id, looked.event_type, sightings.page, sightings.position, states.rejection as reason
from looked
join raw.sightings as sightings using (look_id)
join ocsf.states as states using (body_id)
where states.rejection is not null;
