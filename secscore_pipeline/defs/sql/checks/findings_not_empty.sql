-- One row: an event type that was read in the newest run, though no finding came of it.
select fetches.event_type, sum(fetches.records) as records
from selected_fetches as fetches
where fetches.outcome = 'complete'
    and fetches.event_type not in (
        select observations.event_type
        from internal.observations_at('selected_fetches') as observations
    )
group by fetches.event_type;
