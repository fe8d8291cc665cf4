-- What subscriptions are called and to whom they belong, as Azure lists them; and which feed looked.
alter table raw.fetches add column feed varchar default 'default';
alter table raw.fetches alter column feed set not null;
alter table raw.fetches add column entity_id bigint;

create table raw.listings (
    listing_id bigint not null,
    snapshot_id varchar not null,
    feed varchar not null,
    tenant_id varchar not null,
    listed_at timestamptz not null,
    subscriptions integer not null,
    top_group varchar,
    groups_error varchar,
    arm_endpoint varchar not null,
    stored_at timestamptz not null
);
create table raw.subscriptions (
    entity_id bigint not null,
    listing_id bigint not null,
    feed varchar not null,
    subscription_id varchar not null,
    owner_tag varchar not null,
    record varchar using compression zstd,
    ancestors varchar[]
);
create table ocsf.entities (
    entity_id bigint not null,
    feed varchar not null,
    subscription_id varchar not null,
    listed_at timestamptz not null,
    is_listed boolean not null,
    tenant_id varchar,
    name varchar,
    state varchar,
    owner varchar,
    tags map(varchar, varchar),
    management_groups struct(id varchar, "name" varchar)[]
);

comment on column raw.fetches.feed is 'The feed that looked.';
comment on column raw.fetches.entity_id is 'How the subscription was listed last before, as in ocsf.entities; null when it never was.';
comment on table raw.listings is 'One row: one list of the subscriptions that an identity sees.';
comment on column raw.listings.listing_id is 'The list''s number, in the order lists were stored.';
comment on column raw.listings.snapshot_id is 'The run that listed (Dagster run id).';
comment on column raw.listings.feed is 'The feed that listed.';
comment on column raw.listings.tenant_id is 'The Entra tenant of the connection.';
comment on column raw.listings.listed_at is 'When the list was complete, UTC.';
comment on column raw.listings.subscriptions is 'How many subscriptions it held.';
comment on column raw.listings.top_group is 'The management group below which paths begin.';
comment on column raw.listings.groups_error is 'Why the management groups could not be read; null when they could.';
comment on column raw.listings.arm_endpoint is 'The Azure Resource Manager that was asked.';
comment on column raw.listings.stored_at is 'When it was written to this file, UTC.';
comment on table raw.subscriptions is
    'One row: one subscription from the list at which it differed from the list before, to the next row of the same. Append-only.';
comment on column raw.subscriptions.entity_id is 'The row''s number, in the order rows were stored.';
comment on column raw.subscriptions.listing_id is 'The first list that held it so, as in raw.listings.';
comment on column raw.subscriptions.feed is 'The feed that listed.';
comment on column raw.subscriptions.subscription_id is 'The subscription, lower case.';
comment on column raw.subscriptions.owner_tag is 'The tag that named its owner then (SECSCORE_OWNER_TAG).';
comment on column raw.subscriptions.record is 'The subscription''s JSON, byte for byte; null: it was no longer listed.';
comment on column raw.subscriptions.ancestors is
    'The JSON of the management groups above it, nearest first, up to the top group, which has none; null: unknown.';
comment on table ocsf.entities is 'One row: one subscription as it was listed for a time: what it was called, and whose it was.';
comment on column ocsf.entities.entity_id is 'The row''s number, as in raw.subscriptions.';
comment on column ocsf.entities.feed is 'The feed that listed.';
comment on column ocsf.entities.subscription_id is 'The subscription, lower case.';
comment on column ocsf.entities.listed_at is 'Since when it was listed so, UTC.';
comment on column ocsf.entities.is_listed is 'Whether it was listed at all; false: it no longer was.';
comment on column ocsf.entities.tenant_id is 'The Entra tenant that the subscription belongs to.';
comment on column ocsf.entities.name is 'The subscription''s display name.';
comment on column ocsf.entities.state is 'Enabled, Warned, PastDue, Disabled or Deleted.';
comment on column ocsf.entities.owner is 'The value of the tag that names its owner (SECSCORE_OWNER_TAG).';
comment on column ocsf.entities.tags is 'Its tags.';
comment on column ocsf.entities.management_groups is 'The management groups it lies in, outermost first, the top group left out; null: unknown.';
