-- One row: one subscription that left the scope, and one event type of which it had been read before: its departure ends
-- what the last complete fetch held, as a complete fetch does that holds none of it.
create or replace temp table departing_subscriptions as
with changes as (
    select changes.* exclude (fetch_id), changes.fetch_id + kinds.place as fetch_id, kinds.event_type
    from raw.scope_changes as changes
    cross join internal.event_types_with_findings as kinds
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
from departing_subscriptions
order by fetch_id;

-- One row: a finding that the subscription's complete fetch before had seen, and this complete one, or departure, has not.
create or replace temp table fetch_pairs as
with pending_fetches as (
    select
        fetches.fetch_id,
        fetches.event_type,
        fetches.subscription_id,
        fetches.observed_at,
        cast(null as varchar) as reason
    from raw.fetches as fetches
    anti join internal.normalized_fetches as normalized
        on normalized.run_id = fetches.run_id
        and normalized.event_type = fetches.event_type
    where fetches.outcome = 'complete'
    union all
    select fetch_id, event_type, subscription_id, observed_at, reason
    from departing_subscriptions
)
select
    pending_fetches.fetch_id,
    pending_fetches.event_type,
    pending_fetches.subscription_id,
    pending_fetches.reason,
    epoch_ms(pending_fetches.observed_at) as time,
    coalesce(lag(pending_fetches.fetch_id) over fetches, newest.fetch_id) as previous_fetch_id,
    coalesce(lag(epoch_ms(pending_fetches.observed_at)) over fetches, newest.time) as previous_time
from pending_fetches
left join internal.newest_fetches as newest
    on newest.event_type = pending_fetches.event_type
    and newest.subscription_id = pending_fetches.subscription_id
window fetches as (
    partition by pending_fetches.event_type, pending_fetches.subscription_id order by pending_fetches.fetch_id
);

insert into internal.closings (fetch_id, version_id, last_seen_time, reason)
with previous_observations as (
    select
        fetch_pairs.fetch_id,
        fetch_pairs.reason,
        fetch_pairs.previous_time,
        observations.version_id,
        parsed.finding_id
    from fetch_pairs
    join internal.observations as observations on observations.fetch_id = fetch_pairs.previous_fetch_id
    join internal.parsed_versions as parsed using (version_id)
    where parsed.finding_id is not null
),
current_observations as (
    select observations.fetch_id, parsed.finding_id
    from internal.observations as observations
    join internal.parsed_versions as parsed using (version_id)
    where observations.fetch_id in (select fetch_pairs.fetch_id from fetch_pairs)
)
select
    previous_observations.fetch_id,
    previous_observations.version_id,
    previous_observations.previous_time,
    previous_observations.reason
from previous_observations
anti join current_observations using (fetch_id, finding_id)
order by previous_observations.fetch_id, previous_observations.version_id;

delete from internal.newest_fetches as newest
using fetch_pairs
where fetch_pairs.event_type = newest.event_type
    and fetch_pairs.subscription_id = newest.subscription_id;

insert into internal.newest_fetches (event_type, subscription_id, fetch_id, time)
select event_type, subscription_id, max(fetch_id), max(time)
from fetch_pairs
group by event_type, subscription_id
having max_by(fetch_id in (select departing_subscriptions.fetch_id from departing_subscriptions), fetch_id) = false;
