-- One row: one subscription in the newest sync of its feed: whether it was read, and if not, why. Every count of
-- subscriptions that were read, have no score, or could not be read is a count of these rows.
create or replace view posture.read_results as
with newest_syncs as (
    select feed, max_by(sync_id, fetch_id) as sync_id
    from raw.fetches
    where event_type <> 'assessment_metadata' -- which is read of one subscription of a tenant, for all
    group by feed
),
-- A batch that was read again has fetched some subscriptions twice: the newest fetch counts.
newest_fetches as (
    select
        fetches.*,
        internal.read_result_of(fetches.outcome) as result
    from raw.fetches as fetches
    semi join newest_syncs using (feed, sync_id)
    -- A list that came after the sync, and found that a subscription has left, was followed by no fetch of it.
    anti join (
        select subscription_id from raw.current_scope where state = 'left'
    ) as departed using (subscription_id)
    where fetches.event_type <> 'assessment_metadata'
    qualify row_number() over (
        partition by fetches.feed, fetches.subscription_id, fetches.event_type order by fetches.fetch_id desc
    ) = 1
),
-- What could not be read for one event type counts, whatever the other one gave.
subscriptions as (
    select *
    from newest_fetches
    qualify row_number() over (
        partition by feed, subscription_id
        order by list_position(['not_read', 'no_score', 'read'], result), event_type desc
    ) = 1
)
select
    subscriptions.feed,
    subscriptions.cloud_partition,
    subscriptions.tenant_id,
    subscriptions.subscription_id,
    coalesce(entities.name, listed.name) as subscription_name,
    subscriptions.result,
    subscriptions.outcome,
    subscriptions.http_status,
    subscriptions.error_code,
    nullif(regexp_extract(subscriptions.error, '\[([a-z-]+)\]$', 1), '') as failure,
    subscriptions.error,
    subscriptions.observed_at,
    subscriptions.sync_id as sync_id
from subscriptions
left join internal.subscription_versions as entities using (subscription_version_id)
left join posture.entities as listed on listed.subscription_id = subscriptions.subscription_id;

comment on view posture.read_results is 'One row: one subscription in the newest sync of its feed: whether it was read, and if not, why.';
comment on column posture.read_results.feed is 'The feed that read it.';
comment on column posture.read_results.cloud_partition is
    'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column posture.read_results.tenant_id is 'The Entra tenant of the subscription: a GUID, lower case.';
comment on column posture.read_results.subscription_id is 'The subscription, lower case.';
comment on column posture.read_results.subscription_name is
    'The subscription''s display name; null where it is not known.';
comment on column posture.read_results.result is
    'read, no_score, or not_read where one of the event types could not be read.';
comment on column posture.read_results.outcome is 'How the fetch ended: as in raw.fetches; of two, the worse.';
comment on column posture.read_results.http_status is 'Status of the last answer; null when there was none.';
comment on column posture.read_results.error_code is 'Azure''s error code; null when there was none.';
comment on column posture.read_results.failure is 'The entry in docs/troubleshooting.md; null where nothing failed.';
comment on column posture.read_results.error is 'What happened and what to do; null where nothing failed.';
comment on column posture.read_results.observed_at is 'When that fetch was made, UTC.';
comment on column posture.read_results.sync_id is 'The sync: raw.fetches.sync_id.';
