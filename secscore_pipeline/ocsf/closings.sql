-- One row: a finding that the subscription's complete look before had seen, and this complete one has not.
create or replace temp table paired as
select
    fetches.look_id,
    fetches.event_type,
    fetches.subscription_id,
    epoch_ms(fetches.observed_at) as time,
    coalesce(lag(fetches.look_id) over looks, newest.look_id) as previous_look_id,
    coalesce(lag(epoch_ms(fetches.observed_at)) over looks, newest.time) as previous_time
from raw.fetches as fetches
anti join ocsf.normalized_snapshots as normalized
    on normalized.snapshot_id = fetches.snapshot_id
    and normalized.event_type = fetches.event_type
left join ocsf.newest_looks as newest
    on newest.event_type = fetches.event_type
    and newest.subscription_id = fetches.subscription_id
where fetches.outcome = 'complete'
window looks as (partition by fetches.event_type, fetches.subscription_id order by fetches.look_id);

insert into ocsf.closings (look_id, body_id, last_seen_time)
with before as (
    select paired.look_id, paired.previous_time, sightings.body_id, states.finding_id
    from paired
    join raw.sightings as sightings on sightings.look_id = paired.previous_look_id
    join ocsf.states as states using (body_id)
    where states.finding_id is not null
),
now_seen as (
    select sightings.look_id, states.finding_id
    from raw.sightings as sightings
    join ocsf.states as states using (body_id)
    where sightings.look_id in (select paired.look_id from paired)
)
select before.look_id, before.body_id, before.previous_time
from before
anti join now_seen using (look_id, finding_id)
order by before.look_id, before.body_id;

delete from ocsf.newest_looks as newest
using paired
where paired.event_type = newest.event_type
    and paired.subscription_id = newest.subscription_id;

insert into ocsf.newest_looks (event_type, subscription_id, look_id, time)
select event_type, subscription_id, max(look_id), max(time)
from paired
group by event_type, subscription_id;
