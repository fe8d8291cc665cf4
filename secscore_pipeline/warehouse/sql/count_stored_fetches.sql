-- One row: how many fetches the store has of a run, of one event type or of all, that say how a subscription stands.
select count(*) as fetches
from raw.fetches
where run_id = $run_id
    and ($event_type is null or event_type = $event_type)
    and internal.read_result_of(outcome) <> 'not_read';
