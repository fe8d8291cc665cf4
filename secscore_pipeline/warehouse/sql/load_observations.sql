-- One row: one observation: a record version in a fetch, a new one or the one before.
insert into internal.observations (fetch_id, page, position, version_id)
select
    incoming_records.fetch_id,
    incoming_records.page,
    incoming_records.position,
    coalesce(changed_records.version_id, incoming_records.known_version_id)
from incoming_records
left join changed_records using (fetch_id, page, position)
order by incoming_records.fetch_id, incoming_records.page, incoming_records.position;
