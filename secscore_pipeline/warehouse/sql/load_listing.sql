-- One row: one list of subscriptions.
insert into raw.listings by name
select
    (select coalesce(max(listings.listing_id), 0) + 1 from raw.listings as listings) as listing_id,
    $run_id as run_id,
    $feed as feed,
    $tenant_id as tenant_id,
    $listed_at as listed_at,
    $subscriptions as subscriptions,
    from_json(
        $management_groups, '[{"tenant_id": "VARCHAR", "top_group": "VARCHAR", "error": "VARCHAR"}]'
    ) as management_groups,
    $arm_endpoint as arm_endpoint,
    $stored_at as stored_at,
    $sync_id as sync_id;

-- One row: one subscription that is listed otherwise than before, or no longer. What could not be read of its
-- management groups counts as it was, but for one that another tenant has now.
insert into raw.subscriptions by name
with listed_subscriptions as (
    select subscription_id, tenant_id, record, ancestors
    from read_json(
        $listed_file,
        format = 'newline_delimited',
        maximum_object_size = $line_bytes,
        columns = {subscription_id: 'varchar', tenant_id: 'varchar', record: 'varchar', ancestors: 'varchar[]'}
    )
),
known_subscriptions as (
    select subscription_id, tenant_id, owner_tag, record, ancestors
    from raw.subscriptions
    where feed = $feed
    qualify row_number() over (partition by subscription_id order by subscription_version_id desc) = 1
),
comparisons as (
    select
        coalesce(listed_subscriptions.subscription_id, known_subscriptions.subscription_id) as subscription_id,
        listed_subscriptions.tenant_id,
        listed_subscriptions.record,
        case
            when listed_subscriptions.record is null then null
            when listed_subscriptions.tenant_id <> known_subscriptions.tenant_id then listed_subscriptions.ancestors
            else coalesce(listed_subscriptions.ancestors, known_subscriptions.ancestors)
        end as ancestors,
        known_subscriptions.record as known_record,
        known_subscriptions.ancestors as known_ancestors,
        known_subscriptions.owner_tag as known_owner_tag
    from listed_subscriptions
    full join known_subscriptions using (subscription_id)
)
select
    (select coalesce(max(numbered.subscription_version_id), 0) from raw.subscriptions as numbered)
        + row_number() over (order by subscription_id) as subscription_version_id,
    (select max(listings.listing_id) from raw.listings as listings) as listing_id,
    $feed as feed,
    subscription_id,
    $owner_tag as owner_tag,
    tenant_id,
    record,
    ancestors
from comparisons
where record is distinct from known_record
    or (record is not null and (ancestors is distinct from known_ancestors or known_owner_tag <> $owner_tag));
