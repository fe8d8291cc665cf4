-- Each subscription carries the GUID of its own tenant, and each tenant's management groups are read by themselves.
-- What was stored so far names the tenant as the settings did: a domain, a GUID in capitals, or a provider's tenant for
-- its customers' subscriptions. The lists know better; where they do not, the next sync does.
alter table raw.subscriptions add column tenant_id varchar;
update raw.subscriptions
set tenant_id = lower(try(record ->> '$.tenantId'))
where regexp_full_match(try(record ->> '$.tenantId'), '[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}');

update ocsf.entities as entities
set tenant_id = subscriptions.tenant_id
from raw.subscriptions as subscriptions
where subscriptions.entity_id = entities.entity_id
    and subscriptions.tenant_id is distinct from entities.tenant_id;

-- A domain is the tenant of what it listed, where that is one tenant, and none of it was delegated to another.
create temp table domains as
select lower(listings.tenant_id) as name, min(subscriptions.tenant_id) as tenant_id
from raw.listings as listings
join raw.subscriptions as subscriptions using (listing_id)
where subscriptions.tenant_id is not null
group by lower(listings.tenant_id)
having count(distinct subscriptions.tenant_id) = 1
    and bool_and(coalesce(try(json_array_length(subscriptions.record, '$.managedByTenants')), 0) = 0)
    and not regexp_full_match(lower(listings.tenant_id), '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}');

create temp table known_tenants as
select
    fetches.look_id,
    coalesce(entities.tenant_id, firsts.tenant_id, domains.tenant_id, lower(fetches.tenant_id)) as tenant_id
from raw.fetches as fetches
left join raw.subscriptions as entities using (entity_id)
left join (
    select subscription_id, min_by(tenant_id, entity_id) as tenant_id
    from raw.subscriptions
    group by subscription_id
) as firsts on firsts.subscription_id = fetches.subscription_id
left join domains on domains.name = lower(fetches.tenant_id);

update raw.fetches as fetches
set tenant_id = known_tenants.tenant_id
from known_tenants
where known_tenants.look_id = fetches.look_id
    and known_tenants.tenant_id <> fetches.tenant_id;

create table raw.tenant_listings (
    listing_id bigint not null,
    snapshot_id varchar not null,
    feed varchar not null,
    tenant_id varchar not null,
    listed_at timestamptz not null,
    subscriptions integer not null,
    management_groups struct(tenant_id varchar, top_group varchar, error varchar)[],
    arm_endpoint varchar not null,
    stored_at timestamptz not null,
    round_id varchar
);
insert into raw.tenant_listings by name
select
    listings.* exclude (tenant_id, top_group, groups_error),
    coalesce(domains.tenant_id, lower(listings.tenant_id)) as tenant_id,
    if(
        top_group is null,
        [],
        [{
            'tenant_id': if(
                regexp_full_match(top_group, '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'),
                top_group,
                coalesce(domains.tenant_id, lower(listings.tenant_id))
            ),
            'top_group': top_group,
            'error': groups_error
        }]
    ) as management_groups
from raw.listings as listings
left join domains on domains.name = lower(listings.tenant_id);
drop table raw.listings;
alter table raw.tenant_listings rename to listings;
drop table known_tenants;
drop table domains;

comment on column raw.subscriptions.tenant_id is 'The Entra tenant that it belongs to: a GUID, lower case; null where the list did not say.';
comment on column raw.fetches.outcome is
    'complete, no_score, unsupported (its kind has none), not_registered, disabled, forbidden, not_found, throttled or failed.';
comment on column raw.fetches.tenant_id is 'The Entra tenant that the subscription belonged to then: a GUID, lower case.';
comment on column raw.listings.tenant_id is 'The Entra tenant that the connection signed in to: a GUID, lower case.';
comment on column raw.listings.management_groups is
    'For each tenant, the group below which paths begin, and why its groups could not be read (null: they could).';

comment on table raw.listings is 'One row: one list of the subscriptions that an identity sees. Append-only.';
comment on column raw.listings.listing_id is 'The list''s number, in the order lists were stored.';
comment on column raw.listings.snapshot_id is 'The run that listed (Dagster run id).';
comment on column raw.listings.feed is 'The feed that listed.';
comment on column raw.listings.listed_at is 'When the list was complete, UTC.';
comment on column raw.listings.subscriptions is 'How many subscriptions it held.';
comment on column raw.listings.arm_endpoint is 'The Azure Resource Manager that was asked.';
comment on column raw.listings.stored_at is 'When it was written to this file, UTC.';
comment on column raw.listings.round_id is 'The round that the list is for: all runs that together look at every subscription of a feed once.';
