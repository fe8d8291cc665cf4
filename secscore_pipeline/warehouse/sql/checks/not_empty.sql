-- One row: a look of the newest snapshot that was complete, though its records are not all here.
select fetches.subscription_id, fetches.records as expected, count(records.page) as found
from raw.fetches as fetches
left join raw.records as records using (snapshot_id, subscription_id, event_type)
where fetches.snapshot_id = $snapshot_id
    and fetches.event_type = $event_type
    and fetches.outcome = 'complete'
group by fetches.subscription_id, fetches.records
having found <> expected;
