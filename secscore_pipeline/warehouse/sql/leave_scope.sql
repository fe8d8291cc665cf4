-- One row: one subscription that is in scope and is not to be read any more: why not. Those of a feed that is configured
-- no longer have left once each configured feed was read since: one of them may go on with the subscription.
create or replace temp table changing_subscriptions as
with unread_subscriptions as (
    select unnest(
        from_json($not_read, '[{"subscription_id": "VARCHAR", "reason": "VARCHAR"}]'), recursive := true
    )
),
read_subscriptions as (
    select unnest(from_json($subscription_ids, '["VARCHAR"]')) as subscription_id
),
other_feeds as (
    select coalesce(max(fetches.fetch_id), 0) as last_fetch_id
    from (select unnest(cast($other_feeds as varchar[])) as feed) as feeds
    left join raw.fetches as fetches using (feed)
    group by feeds.feed
),
last_fetches as (
    select subscription_id, max(fetch_id) as fetch_id, max(observed_at) as observed_at
    from raw.fetches
    group by subscription_id
)
select
    scope.subscription_id,
    scope.feed,
    'left' as state,
    if(scope.feed = $feed, coalesce(unread_subscriptions.reason, $reason_of_others), 'excluded') as reason,
    cast($changed_at as timestamptz) as changed_at,
    greatest(cast($changed_at as timestamptz), last_fetches.observed_at + interval 1 millisecond) as observed_at,
    true as is_told
from raw.current_scope as scope
left join unread_subscriptions using (subscription_id)
left join last_fetches using (subscription_id)
anti join read_subscriptions using (subscription_id)
where scope.state = 'in_scope'
    and (
        scope.feed = $feed
        or (
            not list_contains($other_feeds, scope.feed)
            and not exists (from other_feeds where other_feeds.last_fetch_id < last_fetches.fetch_id)
        )
    );
