-- One row: one subscription and event type: how fresh what we know is, and what failed last.
create or replace view posture.coverage as
with dated as (
    select
        *,
        -- What the clock said then. A fetch that is dated after today tells nothing of how old things are.
        least(observed_at, finished_at) as read_at,
        ocsf.day_of(least(observed_at, finished_at)) as read_on,
        ocsf.day_of(least(observed_at, finished_at)) <= ocsf.day_of(now()) as is_past
    from raw.fetches
),
looked as (
    select
        subscription_id,
        event_type,
        max_by(tenant_id, look_id) as tenant_id,
        max_by(feed, look_id) as feed,
        max(observed_at) filter (where outcome = 'complete') as last_complete_at,
        max(read_at) filter (where outcome = 'complete' and is_past) as last_read_at,
        max(observed_at) as last_look_at,
        max_by(outcome, look_id) as last_outcome,
        max(observed_at) filter (where ocsf.read_result_of(outcome) = 'not_read') as last_failure_at,
        max_by(error, look_id) filter (where ocsf.read_result_of(outcome) = 'not_read') as last_failure,
        count(distinct read_on) filter (where outcome = 'complete' and is_past) as days_complete,
        date_diff(
            'day',
            min(read_on) filter (where outcome = 'complete' and is_past),
            max(read_on) filter (where is_past)
        ) + 1 as days_since_first
    from dated
    group by subscription_id, event_type
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
    now() - looked.last_read_at as age,
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
with complete as (
    -- By what the clock said then; no day is missed that is yet to come, whatever a wrong clock has dated a fetch.
    select
        subscription_id,
        event_type,
        ocsf.day_of(least(observed_at, finished_at)) as day,
        max_by(tenant_id, look_id) as tenant_id
    from raw.fetches
    where outcome = 'complete'
    group by subscription_id, event_type, day
),
newest as (
    select max(ocsf.day_of(least(observed_at, finished_at))) as day
    from raw.fetches
    where ocsf.day_of(least(observed_at, finished_at)) <= ocsf.day_of(now())
),
days as (
    select
        complete.subscription_id,
        complete.event_type,
        cast(unnest(generate_series(min(complete.day), newest.day, interval 1 day)) as date) as day
    from complete
    cross join newest
    group by complete.subscription_id, complete.event_type, newest.day
)
-- Each day beside the last complete one up to it, which says whose the subscription was.
select complete.tenant_id, days.subscription_id, days.event_type, days.day
from days
asof join complete
    on complete.subscription_id = days.subscription_id
    and complete.event_type = days.event_type
    and complete.day <= days.day
where complete.day < days.day;

comment on view posture.coverage is 'One row: one subscription and event type: its last complete look, its age, its last failure, and whether the newest run still looks at it.';
comment on view posture.gaps is 'One row: one day (UTC) without a complete look at a subscription, which nothing can bring back.';
