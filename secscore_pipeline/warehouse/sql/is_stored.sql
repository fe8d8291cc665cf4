-- One row: how many looks of an event type the store has of a run that say how a subscription stands.
select count(*) as looks
from raw.fetches
where snapshot_id = $snapshot_id
    and event_type = $event_type
    and outcome in ('complete', 'no_score');
