-- A record's text is kept once for as long as it stays the same. Looks are numbered; a sighting says which look saw
-- which body; what a body means is worked out once. The raw tables and the findings become views over these.
drop view raw.records;

create table raw.numbered_fetches (
    look_id bigint not null,
    snapshot_id varchar not null,
    tenant_id varchar not null,
    subscription_id varchar not null,
    event_type varchar not null,
    started_at timestamptz not null,
    finished_at timestamptz not null,
    observed_at timestamptz not null,
    outcome varchar not null,
    http_status integer,
    error_code varchar,
    error varchar,
    pages integer not null,
    records integer not null,
    request_ids varchar[] not null,
    arm_endpoint varchar not null,
    cloud_partition varchar not null,
    stored_at timestamptz not null
);
create table raw.bodies (
    body_id bigint not null,
    first_look_id bigint not null,
    occurrence integer not null,
    record varchar not null using compression zstd
);
create table raw.sightings (look_id bigint not null, page integer not null, position integer not null, body_id bigint not null);
create table raw.slots (
    event_type varchar not null,
    subscription_id varchar not null,
    record_key varchar not null,
    occurrence integer not null,
    body_id bigint not null,
    record_hash blob not null
);

insert into raw.numbered_fetches by name
select fetches.*, row_number() over (order by observed_at, event_type, subscription_id) as look_id
from raw.fetches as fetches;

create temp table old_records as
with records as (
    select 'secure_scores' as event_type, records.* from raw.secure_scores as records
    union all
    select 'secure_score_controls' as event_type, records.* from raw.secure_score_controls as records
),
placed as (
    select
        fetches.look_id,
        records.event_type,
        records.subscription_id,
        records.page,
        records.position,
        records.record,
        coalesce(lower(records.record_id), '') as record_key,
        row_number() over (
            partition by fetches.look_id, coalesce(lower(records.record_id), '') order by records.page, records.position
        ) as occurrence
    from records
    join raw.numbered_fetches as fetches using (snapshot_id, subscription_id, event_type)
),
compared as (
    select
        *,
        lag(record) over (partition by event_type, subscription_id, record_key, occurrence order by look_id)
            is distinct from record as is_new
    from placed
)
select
    *,
    sum(cast(is_new as integer)) over (
        partition by event_type, subscription_id, record_key, occurrence order by look_id
    ) as version
from compared;

create temp table old_bodies as
select
    row_number() over (order by look_id, page, position) as body_id,
    event_type, subscription_id, record_key, occurrence, version, look_id, record
from old_records
where is_new;

insert into raw.bodies (body_id, first_look_id, occurrence, record)
select body_id, look_id, occurrence, record
from old_bodies;

insert into raw.sightings (look_id, page, position, body_id)
select old_records.look_id, old_records.page, old_records.position, old_bodies.body_id
from old_records
join old_bodies using (event_type, subscription_id, record_key, occurrence, version)
order by old_records.look_id, old_records.page, old_records.position;

insert into raw.slots (event_type, subscription_id, record_key, occurrence, body_id, record_hash)
select event_type, subscription_id, record_key, occurrence, body_id, unhex(sha256(record))
from old_bodies
qualify row_number() over (partition by event_type, subscription_id, record_key, occurrence order by version desc) = 1;

drop table old_records;
drop table old_bodies;
drop table raw.fetches;
drop table raw.secure_scores;
drop table raw.secure_score_controls;
drop table raw.rejected;
drop table ocsf.assessment_findings;
drop table ocsf.finding_state;
drop table ocsf.normalized_snapshots;
alter table raw.numbered_fetches rename to fetches;

create table ocsf.normalized_snapshots (
    snapshot_id varchar not null,
    event_type varchar not null,
    informational_from double not null,
    low_from double not null,
    medium_from double not null,
    extension_version varchar not null
);
create table ocsf.definitions (
    definition_id bigint not null,
    definition_key varchar not null,
    definition struct(
        "name" varchar, display_name varchar, description varchar, max_score double, source_type varchar,
        check_uids varchar[]
    ) not null
);
create table ocsf.findings (
    finding_id bigint not null,
    finding_uid varchar not null,
    event_type varchar not null,
    subscription_id varchar not null,
    first_seen_time bigint not null,
    modified_time bigint,
    newest_body_id bigint,
    numbers varchar
);
create table ocsf.states (
    body_id bigint not null,
    finding_id bigint,
    rejection varchar,
    id varchar using compression zstd,
    name varchar using compression zstd,
    type varchar,
    display_name varchar using compression zstd,
    score_name varchar,
    score_display_name varchar,
    "current" double,
    "max" double,
    percentage double,
    weight bigint,
    healthy bigint,
    unhealthy bigint,
    not_applicable bigint,
    definition_id bigint,
    modified_time bigint
);
create table ocsf.closings (look_id bigint not null, body_id bigint not null, last_seen_time bigint not null);
create table ocsf.newest_looks (
    event_type varchar not null, subscription_id varchar not null, look_id bigint not null, time bigint not null
);

comment on table raw.fetches is 'One row: one look at one subscription for one event type, however it ended.';
comment on column raw.fetches.look_id is 'The look''s number, in the order looks were stored.';
comment on column raw.fetches.snapshot_id is 'The run that looked (Dagster run id); scores and controls of one run share it.';
comment on column raw.fetches.tenant_id is 'The Entra tenant of the connection.';
comment on column raw.fetches.subscription_id is 'The subscription that was looked at, lower case.';
comment on column raw.fetches.event_type is 'secure_scores or secure_score_controls.';
comment on column raw.fetches.started_at is 'When the look began, UTC.';
comment on column raw.fetches.finished_at is 'When the look ended, UTC.';
comment on column raw.fetches.observed_at is
    'When the look counts as made, UTC: finished_at, or later where the clock had been set back since the snapshot before.';
comment on column raw.fetches.outcome is 'complete, no_score, not_registered, disabled, forbidden, not_found, throttled or failed.';
comment on column raw.fetches.http_status is 'Status of the last answer; null when there was none.';
comment on column raw.fetches.error_code is 'Error code of Azure, as received.';
comment on column raw.fetches.error is 'What happened and what to do about it; null when all went well.';
comment on column raw.fetches.pages is 'How many pages were read; 0 unless the outcome is complete or no_score.';
comment on column raw.fetches.records is 'How many records the pages held.';
comment on column raw.fetches.request_ids is 'x-ms-request-id of the answers, for Microsoft''s support; of a complete look, one a page.';
comment on column raw.fetches.arm_endpoint is 'The Azure Resource Manager that was asked.';
comment on column raw.fetches.cloud_partition is 'The Azure cloud of that endpoint, as the Azure command line names it.';
comment on column raw.fetches.stored_at is 'When the snapshot was written to this file, UTC.';
comment on table raw.bodies is 'One row: one text of one record, kept once for as long as it stays the same.';
comment on column raw.bodies.body_id is 'The body''s number, in the order bodies were stored.';
comment on column raw.bodies.first_look_id is 'The look that saw it first.';
comment on column raw.bodies.occurrence is '1, or more where one look saw several records with the same id.';
comment on column raw.bodies.record is 'The record''s JSON, byte for byte.';
comment on table raw.sightings is 'One row: one look saw one body.';
comment on column raw.sightings.look_id is 'The look, as in raw.fetches.';
comment on column raw.sightings.page is 'The page it came on, from 1.';
comment on column raw.sightings.position is 'Its place on the page, from 1.';
comment on column raw.sightings.body_id is 'The body, as in raw.bodies.';
comment on table raw.slots is 'One row: the newest body of one record, to tell whether the next one differs.';
comment on table ocsf.normalized_snapshots is 'One row: one event type of one run that is normalized, and how it was rated.';
comment on column ocsf.normalized_snapshots.informational_from is 'A failing finding with current / max from here: Informational.';
comment on column ocsf.normalized_snapshots.low_from is 'From here: Low.';
comment on column ocsf.normalized_snapshots.medium_from is 'From here: Medium; below: High.';
comment on column ocsf.normalized_snapshots.extension_version is 'metadata.extensions[0].version of its findings.';
comment on table ocsf.definitions is 'One row: one secure score control definition as it once stood.';
comment on table ocsf.findings is 'One row: one finding, where it belongs and how it stands; times in epoch milliseconds.';
comment on table ocsf.states is 'One row: what one body means: its fields typed, or why it cannot be a finding.';
comment on table ocsf.closings is 'One row: a complete look no longer saw a finding that the one before had seen.';
create table meta.views (digest varchar not null);
comment on table meta.views is 'One row: which views this file has, as a digest of their SQL.';
comment on table ocsf.newest_looks is 'One row: the newest complete look of a subscription and event type that is normalized.';
