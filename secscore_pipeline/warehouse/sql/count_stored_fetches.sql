-- One row: how many looks the store has of a run, of one event type or of all, that say how a subscription stands.
select count(*) as looks
from raw.fetches
where snapshot_id = $snapshot_id
    and ($event_type is null or event_type = $event_type)
    and ocsf.read_result_of(outcome) <> 'not_read';
