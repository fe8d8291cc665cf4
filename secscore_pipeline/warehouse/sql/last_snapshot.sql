-- One row: the snapshot that was stored last, of one event type.
select snapshot_id
from raw.fetches
where event_type = $event_type
order by stored_at desc
limit 1;
