-- One row: how many looks of an event type the store has of a run.
select count(*) as looks
from raw.fetches
where snapshot_id = $snapshot_id
    and event_type = $event_type;
