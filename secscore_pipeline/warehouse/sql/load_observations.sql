-- One row: one fetch saw one version, a new one or the one it saw before.
insert into internal.observations (fetch_id, page, position, version_id)
select incoming.fetch_id, incoming.page, incoming.position, coalesce(changed.version_id, incoming.known_body_id)
from incoming
left join changed using (fetch_id, page, position)
order by incoming.fetch_id, incoming.page, incoming.position;
