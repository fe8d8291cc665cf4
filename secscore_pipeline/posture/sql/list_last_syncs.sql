-- One row: one configured feed that was read: when its newest sync and its newest complete sync ended.
-- A sync is complete when each subscription in scope was read, for each event type that the feed is configured to read.
with configured_types as (
    select unnest($feeds) as feed, unnest($event_types) as event_type
),
wanted_types as (
    select feed, count(*) as event_types
    from configured_types
    group by feed
),
syncs as (
    select
        feed,
        sync_id,
        max(fetch_id) as fetch_id,
        max(finished_at) as finished_at,
        count(*) as fetches,
        count(*) filter (where internal.read_result_of(outcome) <> 'not_read') as reads,
        min(subscriptions_in_scope) as subscriptions_in_scope
    from raw.fetches
    semi join configured_types using (feed, event_type)
    group by feed, sync_id
),
candidates as ( -- so many reads that they may be complete; a batch that was read again has some fetches twice
    select syncs.*, wanted_types.event_types
    from syncs
    join wanted_types using (feed)
    where syncs.reads >= coalesce(syncs.subscriptions_in_scope * wanted_types.event_types, syncs.fetches)
    qualify row_number() over (partition by syncs.feed order by syncs.fetch_id desc) <= 10
),
newest_fetches as (
    select
        feed,
        sync_id,
        event_type,
        subscription_id,
        internal.read_result_of(max_by(outcome, fetch_id)) <> 'not_read' as is_read
    from raw.fetches
    semi join configured_types using (feed, event_type)
    semi join candidates using (feed, sync_id)
    group by feed, sync_id, event_type, subscription_id
),
complete_syncs as (
    select candidates.*
    from newest_fetches
    join candidates using (feed, sync_id)
    group by all
    having bool_and(newest_fetches.is_read)
        and count(*) = count(distinct newest_fetches.subscription_id) * candidates.event_types
        and count(*) >= coalesce(candidates.subscriptions_in_scope, 0) * candidates.event_types
),
last_complete as (
    select feed, max_by(finished_at, fetch_id) as finished_at, max_by(sync_id, fetch_id) as sync_id
    from complete_syncs
    group by feed
)
select
    syncs.feed,
    max_by(syncs.finished_at, syncs.fetch_id) as last_sync_at,
    any_value(last_complete.finished_at) as last_complete_at,
    any_value(last_complete.sync_id) as last_complete_sync_id
from syncs
left join last_complete using (feed)
group by syncs.feed;
