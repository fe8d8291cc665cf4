-- One row: a look of the newest snapshot that was complete, though its records are not all here.
select fetches.subscription_id, fetches.records as expected, count(sightings.page) as found
from looked as fetches
left join raw.sightings as sightings using (look_id)
where fetches.event_type = $event_type
    and fetches.outcome = 'complete'
group by fetches.subscription_id, fetches.records
having found <> expected;
