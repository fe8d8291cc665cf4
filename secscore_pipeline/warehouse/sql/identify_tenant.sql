-- Names by its GUID what was stored under a tenant's domain ($name): whose the subscription was found to be first, else
-- the connection's tenant.
update raw.fetches as fetches
set tenant_id = coalesce(
    (
        select min_by(known.tenant_id, known.fetch_id)
        from raw.fetches as known
        where known.subscription_id = fetches.subscription_id
            and known.tenant_id <> $name
    ),
    $tenant_id
)
where fetches.tenant_id = $name;

update raw.listings
set tenant_id = $tenant_id
where tenant_id = $name;
