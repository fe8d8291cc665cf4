-- One row: one subscription that left the scope, and one event type of which it had been read before: its departure ends
-- what the last complete fetch saw, as a complete fetch does that sees none of it.
create or replace temp table departing as
with changes as (
    select changes.* exclude (look_id), changes.look_id + kinds.place as look_id, kinds.event_type
    from raw.scope_changes as changes
    cross join (values ('secure_scores', 0), ('secure_score_controls', 1)) as kinds(event_type, place)
    where changes.state = 'left'
)
select
    changes.look_id,
    changes.event_type,
    changes.subscription_id,
    changes.snapshot_id,
    changes.feed,
    changes.reason,
    changes.changed_at,
    changes.observed_at,
    changes.stored_at,
    max(fetches.look_id) as last_look_id
from changes
anti join ocsf.departures as known using (look_id)
join raw.fetches as fetches
    on fetches.subscription_id = changes.subscription_id
    and fetches.event_type = changes.event_type
    and fetches.look_id < changes.look_id
where fetches.outcome = 'complete'
group by all;

insert into ocsf.departures by name
from departing
order by look_id;

-- One row: a finding that the subscription's complete look before had seen, and this complete one, or departure, has not.
create or replace temp table paired as
with pending as (
    select fetches.look_id, fetches.event_type, fetches.subscription_id, fetches.observed_at, cast(null as varchar) as reason
    from raw.fetches as fetches
    anti join ocsf.normalized_snapshots as normalized
        on normalized.snapshot_id = fetches.snapshot_id
        and normalized.event_type = fetches.event_type
    where fetches.outcome = 'complete'
    union all
    select look_id, event_type, subscription_id, observed_at, reason
    from departing
)
select
    pending.look_id,
    pending.event_type,
    pending.subscription_id,
    pending.reason,
    epoch_ms(pending.observed_at) as time,
    coalesce(lag(pending.look_id) over looks, newest.look_id) as previous_look_id,
    coalesce(lag(epoch_ms(pending.observed_at)) over looks, newest.time) as previous_time
from pending
left join ocsf.newest_looks as newest
    on newest.event_type = pending.event_type
    and newest.subscription_id = pending.subscription_id
window looks as (partition by pending.event_type, pending.subscription_id order by pending.look_id);

insert into ocsf.closings (look_id, body_id, last_seen_time, reason)
with before as (
    select paired.look_id, paired.reason, paired.previous_time, sightings.body_id, states.finding_id
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
select before.look_id, before.body_id, before.previous_time, before.reason
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
group by event_type, subscription_id
having max_by(look_id in (select departing.look_id from departing), look_id) = false;
