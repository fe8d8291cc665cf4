-- One row: an event type that was read in the newest snapshot, though no finding came of it.
select fetches.event_type, sum(fetches.records) as records
from looked as fetches
where fetches.outcome = 'complete'
    and fetches.event_type not in (
        select observations.event_type
        from ocsf.observations_at('looked') as observations
    )
group by fetches.event_type;
