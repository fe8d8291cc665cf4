-- One row: an event of the newest run that the findings hold more than once, by what metadata.uid is made of; of the long
-- ids a hash is compared.
with events as (
    select finding_id, uid_hash, time, activity_id
    from selected_observations
    union all
    select finding_id, hash(finding_uid) as uid_hash, time, activity_id
    from internal.recommendation_events_at('selected_fetches')
    where activity_id is not null
),
repeated_events as (
    select any_value(finding_id) as finding_id, time, activity_id, count(*) as times
    from events
    group by uid_hash, time, activity_id
    having count(*) > 1
)
select findings.finding_uid, repeated.time, repeated.activity_id, repeated.times
from repeated_events as repeated
join internal.findings as findings using (finding_id);
