-- One row: an event type that was read in the newest snapshot, though no finding came of it.
select fetches.event_type, sum(fetches.records) as records
from raw.fetches as fetches
where fetches.snapshot_id = $snapshot_id
    and fetches.outcome = 'complete'
    and fetches.event_type not in (
        select observations.event_type
        from ocsf.observations as observations
        where observations.snapshot_id = $snapshot_id
    )
group by fetches.event_type;
