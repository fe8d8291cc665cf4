-- One row: a fetch of the newest run that was complete, though its records are not all here.
with seen_records as (
    select fetch_id, count(*) as records
    from spans_seen($event_type)
    group by fetch_id
)
select fetches.subscription_id, fetches.records as expected, coalesce(seen_records.records, 0) as found
from selected_fetches as fetches
left join seen_records using (fetch_id)
where fetches.event_type = $event_type
    and fetches.outcome = 'complete'
    and fetches.records <> coalesce(seen_records.records, 0);
