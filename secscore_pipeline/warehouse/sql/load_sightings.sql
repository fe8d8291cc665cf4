-- One row: one look saw one body, a new one or the one it saw before.
insert into raw.sightings (look_id, page, position, body_id)
select incoming.look_id, incoming.page, incoming.position, coalesce(changed.body_id, incoming.known_body_id)
from incoming
left join changed using (look_id, page, position)
order by incoming.look_id, incoming.page, incoming.position;
