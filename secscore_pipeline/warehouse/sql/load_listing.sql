-- One row: one list of subscriptions.
insert into raw.listings by name
select
    (select coalesce(max(known.listing_id), 0) + 1 from raw.listings as known) as listing_id,
    $run_id as run_id,
    $feed as feed,
    $tenant_id as tenant_id,
    $listed_at as listed_at,
    json_array_length($listed) as subscriptions,
    from_json(
        $management_groups, '[{"tenant_id": "VARCHAR", "top_group": "VARCHAR", "error": "VARCHAR"}]'
    ) as management_groups,
    $arm_endpoint as arm_endpoint,
    $stored_at as stored_at,
    $sync_id as sync_id;

-- One row: one subscription that is listed otherwise than before, or no longer. What could not be read of its
-- management groups counts as it was, but for one that another tenant has now.
insert into raw.subscriptions by name
with listed as (
    select unnest(
        from_json($listed, '[{"subscription_id": "VARCHAR", "tenant_id": "VARCHAR", "record": "VARCHAR", "ancestors": ["VARCHAR"]}]'),
        recursive := true
    )
),
known as (
    select subscription_id, tenant_id, owner_tag, record, ancestors
    from raw.subscriptions
    where feed = $feed
    qualify row_number() over (partition by subscription_id order by subscription_version_id desc) = 1
),
compared as (
    select
        coalesce(listed.subscription_id, known.subscription_id) as subscription_id,
        listed.tenant_id,
        listed.record,
        case
            when listed.record is null then null
            when listed.tenant_id <> known.tenant_id then listed.ancestors
            else coalesce(listed.ancestors, known.ancestors)
        end as ancestors,
        known.record as known_record,
        known.ancestors as known_ancestors,
        known.owner_tag as known_owner_tag
    from listed
    full join known using (subscription_id)
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
from compared
where record is distinct from known_record
    or (record is not null and (ancestors is distinct from known_ancestors or known_owner_tag <> $owner_tag));
