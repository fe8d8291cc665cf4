-- One row: a look of the newest snapshot that was complete, though the table holds none of its records.
select fetches.subscription_id, fetches.records as expected
from raw.fetches as fetches
where fetches.snapshot_id = $snapshot_id
    and fetches.event_type = 'secure_score_controls'
    and fetches.outcome = 'complete'
    and fetches.records <> (
        select count(*)
        from raw.secure_score_controls as records
        where records.snapshot_id = fetches.snapshot_id
            and records.subscription_id = fetches.subscription_id
    );
