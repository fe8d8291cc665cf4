-- One row: one subscription as it was listed for a time, its fields typed.
insert into internal.subscription_versions by name
with described_versions as (
    select
        subscriptions.*,
        listings.listed_at,
        try(from_json(
            subscriptions.record,
            '{"displayName": "VARCHAR", "state": "VARCHAR", "tags": "JSON"}'
        )) as fields
    from raw.subscriptions as subscriptions
    join raw.listings as listings using (listing_id)
    anti join internal.subscription_versions as known using (subscription_version_id)
),
tagged_versions as (
    select *, try_cast(fields.tags as map(varchar, varchar)) as tags
    from described_versions
)
select
    subscription_version_id,
    feed,
    subscription_id,
    listed_at,
    record is not null as is_listed,
    tenant_id,
    fields.displayName as name,
    fields.state as state,
    -- Azure tells tags apart without regard to case.
    list_filter(map_entries(tags), lambda tag: lower(tag.key) = lower(owner_tag))[1].value as owner,
    tags,
    list_transform(
        list_reverse(ancestors),
        lambda ancestor: {
            'id': ancestor ->> '$.name',
            'name': coalesce(ancestor ->> '$.properties.displayName', ancestor ->> '$.name')
        }
    ) as management_groups
from tagged_versions;
