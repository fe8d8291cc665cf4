-- One row: one subscription and event type: how fresh what we know is, and what failed last.
create or replace view posture.coverage as
with looked as (
    select
        tenant_id,
        subscription_id,
        event_type,
        max_by(feed, look_id) as feed,
        max(observed_at) filter (where outcome = 'complete') as last_complete_at,
        max(observed_at) as last_look_at,
        max_by(outcome, look_id) as last_outcome,
        max(observed_at) filter (where outcome not in ('complete', 'no_score')) as last_failure_at,
        max_by(error, look_id) filter (where outcome not in ('complete', 'no_score')) as last_failure,
        count(distinct ocsf.day_of(observed_at)) filter (where outcome = 'complete') as days_complete,
        date_diff('day', min(ocsf.day_of(observed_at)) filter (where outcome = 'complete'), max(ocsf.day_of(observed_at)))
            + 1 as days_since_first
    from raw.fetches
    group by tenant_id, subscription_id, event_type
),
newest as (
    select feed, event_type, max_by(round_id, look_id) as round_id
    from raw.fetches
    group by feed, event_type
)
select
    looked.feed,
    looked.tenant_id,
    looked.subscription_id,
    looked.event_type,
    looked.last_complete_at,
    now() - looked.last_complete_at as age,
    looked.last_look_at,
    looked.last_outcome,
    looked.last_failure_at,
    looked.last_failure,
    looked.days_complete,
    coalesce(looked.days_since_first - looked.days_complete, 0) as days_missed,
    exists (
        select 1
        from raw.fetches as fetches
        where fetches.round_id = newest.round_id
            and fetches.event_type = looked.event_type
            and fetches.subscription_id = looked.subscription_id
    ) as is_in_scope
from looked
join newest using (feed, event_type);

-- One row: one day (UTC) without a complete look at a subscription, between its first one and the newest look of all.
create or replace view posture.gaps as
with first_days as (
    select tenant_id, subscription_id, event_type, min(ocsf.day_of(observed_at)) as first_day
    from raw.fetches
    where outcome = 'complete'
    group by tenant_id, subscription_id, event_type
),
days as (
    select
        *,
        unnest(generate_series(first_day, (select ocsf.day_of(max(observed_at)) from raw.fetches), interval 1 day)) as day
    from first_days
)
select days.tenant_id, days.subscription_id, days.event_type, cast(days.day as date) as day
from days
anti join (
    select distinct subscription_id, event_type, ocsf.day_of(observed_at) as day
    from raw.fetches
    where outcome = 'complete'
) as complete
    on complete.subscription_id = days.subscription_id
    and complete.event_type = days.event_type
    and complete.day = cast(days.day as date);

comment on view posture.coverage is 'One row: one subscription and event type: its last complete look, its age, its last failure, and whether the newest run still looks at it.';
comment on view posture.gaps is 'One row: one day (UTC) without a complete look at a subscription, which nothing can bring back.';
