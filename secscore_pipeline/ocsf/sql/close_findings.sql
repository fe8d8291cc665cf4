-- One row: one subscription that left the scope, and one event type of which it had been read before: its departure ends
-- what the last complete fetch saw, as a complete fetch does that sees none of it.
create or replace temp table departing as
with changes as (
    select changes.* exclude (fetch_id), changes.fetch_id + kinds.place as fetch_id, kinds.event_type
    from raw.scope_changes as changes
    cross join (values ('secure_scores', 0), ('secure_score_controls', 1)) as kinds(event_type, place)
    where changes.state = 'left'
)
select
    changes.fetch_id,
    changes.event_type,
    changes.subscription_id,
    changes.run_id,
    changes.feed,
    changes.reason,
    changes.changed_at,
    changes.observed_at,
    changes.stored_at,
    max(fetches.fetch_id) as last_fetch_id
from changes
anti join internal.departures as known using (fetch_id)
join raw.fetches as fetches
    on fetches.subscription_id = changes.subscription_id
    and fetches.event_type = changes.event_type
    and fetches.fetch_id < changes.fetch_id
where fetches.outcome = 'complete'
group by all;

insert into internal.departures by name
from departing
order by fetch_id;

-- One row: a finding that the subscription's complete fetch before had seen, and this complete one, or departure, has not.
create or replace temp table paired as
with pending as (
    select fetches.fetch_id, fetches.event_type, fetches.subscription_id, fetches.observed_at, cast(null as varchar) as reason
    from raw.fetches as fetches
    anti join internal.normalized_fetches as normalized
        on normalized.run_id = fetches.run_id
        and normalized.event_type = fetches.event_type
    where fetches.outcome = 'complete'
    union all
    select fetch_id, event_type, subscription_id, observed_at, reason
    from departing
)
select
    pending.fetch_id,
    pending.event_type,
    pending.subscription_id,
    pending.reason,
    epoch_ms(pending.observed_at) as time,
    coalesce(lag(pending.fetch_id) over fetches, newest.fetch_id) as previous_look_id,
    coalesce(lag(epoch_ms(pending.observed_at)) over fetches, newest.time) as previous_time
from pending
left join internal.newest_fetches as newest
    on newest.event_type = pending.event_type
    and newest.subscription_id = pending.subscription_id
window fetches as (partition by pending.event_type, pending.subscription_id order by pending.fetch_id);

insert into internal.closings (fetch_id, version_id, last_seen_time, reason)
with before as (
    select paired.fetch_id, paired.reason, paired.previous_time, observations.version_id, parsed_versions.finding_id
    from paired
    join internal.observations as observations on observations.fetch_id = paired.previous_look_id
    join internal.parsed_versions as parsed_versions using (version_id)
    where parsed_versions.finding_id is not null
),
now_seen as (
    select observations.fetch_id, parsed_versions.finding_id
    from internal.observations as observations
    join internal.parsed_versions as parsed_versions using (version_id)
    where observations.fetch_id in (select paired.fetch_id from paired)
)
select before.fetch_id, before.version_id, before.previous_time, before.reason
from before
anti join now_seen using (fetch_id, finding_id)
order by before.fetch_id, before.version_id;

delete from internal.newest_fetches as newest
using paired
where paired.event_type = newest.event_type
    and paired.subscription_id = newest.subscription_id;

insert into internal.newest_fetches (event_type, subscription_id, fetch_id, time)
select event_type, subscription_id, max(fetch_id), max(time)
from paired
group by event_type, subscription_id
having max_by(fetch_id in (select departing.fetch_id from departing), fetch_id) = false;
