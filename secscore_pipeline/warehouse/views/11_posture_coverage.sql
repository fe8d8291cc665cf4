-- One row: one subscription: whose it is, whether it is in scope now, since when, and why not.
create or replace view internal.subscription_scope as
select fetched.tenant_id, scope.subscription_id, scope.feed, scope.state, scope.reason, scope.since
from raw.current_scope as scope
join (
    select subscription_id, max_by(tenant_id, fetch_id) as tenant_id
    from raw.fetches
    group by subscription_id
) as fetched using (subscription_id);

-- One row: one day (UTC) without a complete fetch of a subscription that was in scope, between its first one and the
-- newest fetch of all. A day on which it left the scope counts as out of scope, one on which it came back as in scope.
create or replace view posture.gaps as
with dated_fetches as not materialized ( -- so that a filter on a subscription is applied first
    -- By what the clock said then; no day is missed that is yet to come, whatever a wrong clock has dated a fetch.
    select
        tenant_id,
        subscription_id,
        event_type,
        outcome = 'complete' as is_complete,
        internal.day_of(least(observed_at, finished_at)) as day
    from raw.fetches
    where day <= internal.day_of(now())
        and event_type <> 'assessment_metadata' -- which is read of one subscription of a tenant, for all
),
newest as (
    select max(day) as day
    from dated_fetches
),
tenants as (
    select subscription_id, event_type, tenant_id, min(day) as day
    from dated_fetches
    where is_complete
    group by subscription_id, event_type, tenant_id
),
complete_fetches as (
    select subscription_id, event_type, list_sort(list(distinct day)) as days
    from dated_fetches
    where is_complete
    group by subscription_id, event_type
),
-- Each day with the next one that has a complete fetch: only what lies between two is made.
neighbours as (
    select
        complete_fetches.subscription_id,
        complete_fetches.event_type,
        unnest(complete_fetches.days) as day,
        unnest(list_append(complete_fetches.days[2:], newest.day + 1)) as next_day
    from complete_fetches
    cross join newest
),
missing_days as (
    select
        subscription_id,
        event_type,
        cast(unnest(generate_series(day + 1, next_day - 1, interval 1 day)) as date) as day
    from neighbours
    where next_day > day + 1
),
dated_changes as (
    select
        subscription_id,
        fetch_id,
        state,
        -- No change comes before the one before it, whatever the clock said.
        max(least(internal.day_of(changed_at), internal.day_of(now()))) over (
            partition by subscription_id order by fetch_id
        ) as day
    from raw.scope_changes
),
scope_by_day as (
    select subscription_id, day, max_by(state, fetch_id) as state
    from dated_changes
    group by subscription_id, day
)
select
    tenants.tenant_id,
    missing_days.subscription_id,
    entities.name as subscription_name,
    missing_days.event_type,
    missing_days.day
from missing_days
asof join tenants
    on tenants.subscription_id = missing_days.subscription_id
    and tenants.event_type = missing_days.event_type
    and tenants.day <= missing_days.day
asof left join scope_by_day
    on scope_by_day.subscription_id = missing_days.subscription_id
    and scope_by_day.day <= missing_days.day
left join posture.entities as entities on entities.subscription_id = missing_days.subscription_id
where scope_by_day.state is distinct from 'left';

-- One row: one subscription and event type: whether it is in scope and can be read, how fresh what we know is, and what
-- failed last.
create or replace view posture.coverage as
with dated_fetches as not materialized ( -- so that a filter on a subscription is applied first
    select
        *,
        internal.read_result_of(outcome) <> 'not_read' as is_read,
        -- What the clock said then. A fetch that is dated after today tells nothing of how old things are.
        least(observed_at, finished_at) as read_at,
        internal.day_of(least(observed_at, finished_at)) as read_on,
        internal.day_of(least(observed_at, finished_at)) <= internal.day_of(now()) as is_past
    from raw.fetches
    where event_type <> 'assessment_metadata'
),
fetch_summaries as (
    select
        max_by(tenant_id, fetch_id) as tenant_id,
        subscription_id,
        event_type,
        max_by(feed, fetch_id) as feed,
        max(observed_at) filter (where outcome = 'complete') as last_complete_at,
        max(read_at) filter (where outcome = 'complete' and is_past) as last_read_at,
        max(observed_at) as last_fetch_at,
        max_by(outcome, fetch_id) as last_outcome,
        coalesce(max(fetch_id) filter (where is_read), 0) as last_read_fetch_id,
        max(observed_at) filter (where not is_read) as last_failure_at,
        max_by(error, fetch_id) filter (where not is_read) as last_failure,
        count(distinct read_on) filter (where outcome = 'complete' and is_past) as days_complete
    from dated_fetches
    group by subscription_id, event_type
),
unread_fetches as (
    select dated_fetches.subscription_id, dated_fetches.event_type, min(dated_fetches.read_at) as since
    from dated_fetches
    join fetch_summaries using (subscription_id, event_type)
    where dated_fetches.fetch_id > fetch_summaries.last_read_fetch_id
    group by dated_fetches.subscription_id, dated_fetches.event_type
),
missed_days as (
    select subscription_id, event_type, count(*) as days
    from posture.gaps
    group by subscription_id, event_type
)
select
    fetch_summaries.feed,
    fetch_summaries.tenant_id,
    fetch_summaries.subscription_id,
    entities.name as subscription_name,
    fetch_summaries.event_type,
    case
        when scope.state = 'left' then 'left'
        when unread_fetches.since is not null then 'unreadable'
        else 'in_scope'
    end as state,
    case
        when scope.state = 'left' then scope.reason
        when unread_fetches.since is not null then fetch_summaries.last_outcome
    end as reason,
    if(scope.state = 'left', scope.since, coalesce(unread_fetches.since, scope.since)) as since,
    fetch_summaries.last_complete_at,
    now() - fetch_summaries.last_read_at as age,
    fetch_summaries.last_fetch_at,
    fetch_summaries.last_outcome,
    fetch_summaries.last_failure_at,
    fetch_summaries.last_failure,
    fetch_summaries.days_complete,
    coalesce(missed_days.days, 0) as days_missed,
    scope.state = 'in_scope' as is_in_scope
from fetch_summaries
join internal.subscription_scope as scope using (subscription_id)
left join unread_fetches using (subscription_id, event_type)
left join missed_days using (subscription_id, event_type)
left join posture.entities as entities using (subscription_id);

comment on view internal.subscription_scope is 'One row: one subscription that was ever read: whose it is, whether it is in scope now, since when, and why not.';
comment on column internal.subscription_scope.tenant_id is 'The Entra tenant of the subscription: a GUID, lower case.';
comment on column internal.subscription_scope.subscription_id is 'The subscription that was read, lower case.';
comment on column internal.subscription_scope.feed is 'The feed that read it.';
comment on column internal.subscription_scope.state is 'in_scope or left.';
comment on column internal.subscription_scope.reason is
    'Why it left: deleted, disabled, not_listed (Azure lists it no longer), moved (out of the management group), excluded (by a setting), or unknown.';
comment on column internal.subscription_scope.since is 'Since when, UTC: when it was noticed.';
comment on view posture.coverage is 'One row: one subscription and event type: whether it is in scope, has left or cannot be read, since when and why; its last complete fetch, its age, its last failure.';
comment on column posture.coverage.feed is 'The feed that read it.';
comment on column posture.coverage.tenant_id is 'The Entra tenant of the subscription: a GUID, lower case.';
comment on column posture.coverage.subscription_id is 'The subscription, lower case.';
comment on column posture.coverage.subscription_name is 'The subscription''s display name; null where it is not known.';
comment on column posture.coverage.event_type is 'The event type: secure_scores or secure_score_controls.';
comment on column posture.coverage.state is
    'in_scope; left (out of scope: no current view has it); or unreadable (in scope, but the last fetch failed).';
comment on column posture.coverage.reason is
    'Why it left: deleted, disabled, not_listed (Azure lists it no longer), moved (out of the management group), excluded (by a setting), unknown; why it is unreadable: the outcome of the last fetch.';
comment on column posture.coverage.since is 'Since when it is in that state, UTC: when it was noticed.';
comment on column posture.coverage.last_complete_at is 'The last complete fetch, UTC.';
comment on column posture.coverage.age is 'How long ago that was.';
comment on column posture.coverage.last_fetch_at is 'The last fetch, UTC.';
comment on column posture.coverage.last_outcome is 'How the last fetch ended.';
comment on column posture.coverage.last_failure_at is 'The last fetch that failed, UTC.';
comment on column posture.coverage.last_failure is 'Why it failed and what to do.';
comment on column posture.coverage.days_complete is 'Days (UTC) with a complete fetch.';
comment on column posture.coverage.days_missed is
    'Days without one since the first, while it was in scope: as many as in posture.gaps; 0 where days_complete is 0.';
comment on column posture.coverage.is_in_scope is 'Whether it is in scope, unreadable or not.';
comment on view posture.gaps is 'One row: one day (UTC) without a complete fetch of a subscription that was in scope, which nothing can bring back.';
comment on column posture.gaps.tenant_id is 'The Entra tenant of the subscription: a GUID, lower case.';
comment on column posture.gaps.subscription_id is 'The subscription, lower case.';
comment on column posture.gaps.subscription_name is 'The subscription''s display name; null where it is not known.';
comment on column posture.gaps.event_type is 'The event type: secure_scores or secure_score_controls.';
comment on column posture.gaps.day is 'The day (UTC) without a complete fetch.';
