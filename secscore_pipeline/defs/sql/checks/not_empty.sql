-- One row: a fetch of the newest run that was complete, though its records are not all here.
select fetches.subscription_id, fetches.records as expected, count(observations.page) as found
from selected_fetches as fetches
left join internal.observations as observations using (fetch_id)
where fetches.event_type = $event_type
    and fetches.outcome = 'complete'
group by fetches.subscription_id, fetches.records
having found <> expected;
