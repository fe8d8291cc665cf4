-- One row: one subscription that is in scope and is not to be read any more: why not. Those of a feed that is configured
-- no longer have left once each configured feed was read since: one of them may go on with the subscription.
create or replace temp table leaving as
with not_read as (
    select unnest(
        from_json($not_read, '[{"subscription_id": "VARCHAR", "reason": "VARCHAR"}]'), recursive := true
    )
),
is_read as (
    select unnest(cast($subscription_ids as varchar[])) as subscription_id
),
other_feeds as (
    select coalesce(max(fetches.look_id), 0) as last_look_id
    from (select unnest(cast($other_feeds as varchar[])) as feed) as feeds
    left join raw.fetches as fetches using (feed)
    group by feeds.feed
),
last_fetches as (
    select subscription_id, max(look_id) as look_id, max(observed_at) as observed_at
    from raw.fetches
    group by subscription_id
)
select
    scope.subscription_id,
    scope.feed,
    if(scope.feed = $feed, coalesce(not_read.reason, $reason_of_others), 'excluded') as reason,
    greatest(cast($changed_at as timestamptz), last_fetches.observed_at + interval 1 millisecond) as observed_at
from raw.current_scope as scope
left join not_read using (subscription_id)
left join last_fetches using (subscription_id)
anti join is_read using (subscription_id)
where scope.state = 'in_scope'
    and (
        scope.feed = $feed
        or (
            not list_contains($other_feeds, scope.feed)
            and not exists (from other_feeds where other_feeds.last_look_id < last_fetches.look_id)
        )
    );

insert into raw.scope_changes by name
select
    ocsf.last_look_id() + 2 * row_number() over (order by subscription_id) - 1 as look_id,
    $snapshot_id as snapshot_id,
    feed,
    subscription_id,
    'left' as state,
    reason,
    $changed_at as changed_at,
    observed_at,
    $stored_at as stored_at
from leaving;

select leaving.subscription_id, newest.name, leaving.reason
from leaving
left join (
    select subscription_id, max_by(record ->> '$.displayName', entity_id) as name
    from raw.subscriptions
    where record is not null
    group by subscription_id
) as newest using (subscription_id)
order by coalesce(newest.name, leaving.subscription_id), leaving.subscription_id;
