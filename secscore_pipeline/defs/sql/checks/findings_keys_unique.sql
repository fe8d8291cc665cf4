-- One row: an event of the newest run that the findings hold more than once, by what metadata.uid is made of.
select finding_uid, time, activity_id, count(*) as times
from internal.observations_at('selected_fetches')
group by finding_uid, time, activity_id
having count(*) > 1;
