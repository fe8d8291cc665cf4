-- One row: one subscription of a snapshot, how the look at it ended and the score it has.
select
    fetches.subscription_id,
    fetches.outcome,
    fetches.http_status,
    fetches.error,
    fetches.records,
    fetches.pages,
    len(fetches.request_ids) as requests
from raw.fetches as fetches
where fetches.snapshot_id = $snapshot_id
    and fetches.event_type = $event_type
order by fetches.subscription_id;
