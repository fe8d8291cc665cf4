-- One row: a record id that the newest snapshot holds more than once.
select lower(record_id) as record_id, count(*) as times
from raw.records
where snapshot_id = $snapshot_id
    and event_type = $event_type
group by lower(record_id)
having count(*) > 1;
