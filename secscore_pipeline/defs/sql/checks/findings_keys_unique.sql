-- One row: an event of the newest run that the findings hold more than once, by what metadata.uid is made of.
with events as (
    select finding_uid, time, activity_id
    from internal.observations_at('selected_fetches')
    union all
    select finding_uid, time, activity_id
    from internal.recommendation_events_at('selected_fetches')
    where activity_id is not null
)
select finding_uid, time, activity_id, count(*) as times
from events
group by finding_uid, time, activity_id
having count(*) > 1;
