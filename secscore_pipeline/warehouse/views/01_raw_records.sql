-- One row: one record as Azure sent it, of a score or control.
create or replace view raw.records as
select
    fetches.event_type,
    fetches.run_id,
    fetches.tenant_id,
    fetches.subscription_id,
    case when json_valid(versions.record) then versions.record ->> '$.id' end as record_id,
    case when json_valid(versions.record) then versions.record ->> '$.name' end as name,
    fetches.observed_at,
    observations.page,
    observations.position,
    fetches.request_ids[observations.page] as request_id,
    versions.record
from internal.observations as observations
join raw.fetches as fetches using (fetch_id)
join internal.record_versions as versions
    on versions.version_id = observations.version_id
    and versions.event_type = fetches.event_type;

create or replace view raw.secure_scores as
select * exclude (event_type) from raw.records where event_type = 'secure_scores';

create or replace view raw.secure_score_controls as
select * exclude (event_type) from raw.records where event_type = 'secure_score_controls';

-- One row: one version of a record that is stored for as long as each complete fetch saw it.
create or replace macro internal.spanning_records(kind) as table
select
    fetches.run_id,
    fetches.tenant_id,
    spans.subscription_id,
    case when json_valid(versions.record) then versions.record ->> '$.id' end as record_id,
    case when json_valid(versions.record) then versions.record ->> '$.name' end as name,
    fetches.observed_at,
    endings.observed_at as ended_at,
    spans.page,
    spans.position,
    fetches.request_ids[spans.page] as request_id,
    versions.record
from internal.record_spans as spans
join raw.fetches as fetches on fetches.fetch_id = spans.first_fetch_id
left join (
    select fetch_id, observed_at from raw.fetches
    union all
    select fetch_id + 2 as fetch_id, observed_at from raw.scope_changes
) as endings on endings.fetch_id = spans.ended_fetch_id
join internal.record_versions as versions
    on versions.version_id = spans.version_id
    and versions.event_type = spans.event_type
where spans.event_type = kind;

create or replace view raw.assessments as
from internal.spanning_records('assessments');

create or replace view raw.assessment_metadata as
from internal.spanning_records('assessment_metadata');

-- One row: one subscription: whether it is in scope, of which feed, and since when.
create or replace view raw.current_scope as
select
    subscription_id,
    max_by(feed, fetch_id) as feed,
    max_by(state, fetch_id) as state,
    arg_max_null(reason, fetch_id) as reason,
    max_by(changed_at, fetch_id) as since,
    max(fetch_id) as fetch_id
from raw.scope_changes
group by subscription_id;

-- The event types that have findings. Who selects records by them joins this view, or asks whether theirs is in it: a plain
-- list is compared after DuckDB has unpacked every text.
create or replace view internal.event_types_with_findings as
select kinds.event_type, kinds.place, kinds.is_scored
from (
    values ('secure_scores', 0, true), ('secure_score_controls', 1, true), ('assessments', 2, false)
) as kinds(event_type, place, is_scored);

-- Fetches, and departures, which end what the last fetch before them saw, and are otherwise like it.
create or replace view internal.fetches_and_departures as
from raw.fetches
union all
select
    fetches.* replace (
        departures.fetch_id as fetch_id,
        departures.run_id as run_id,
        departures.run_id as sync_id,
        departures.feed as feed,
        departures.changed_at as started_at,
        departures.changed_at as finished_at,
        departures.observed_at as observed_at,
        departures.stored_at as stored_at,
        'left' as outcome,
        0 as records
    )
from internal.departures as departures
join raw.fetches as fetches on fetches.fetch_id = departures.last_fetch_id;

comment on view raw.current_scope is 'One row: one subscription that was ever read: whether it is in scope, of which feed, and since when.';
comment on column raw.current_scope.subscription_id is 'The subscription, lower case.';
comment on column raw.current_scope.feed is 'The feed whose scope it is in, or left.';
comment on column raw.current_scope.state is 'in_scope or left.';
comment on column raw.current_scope.reason is
    'Why it left: deleted, disabled, not_listed (Azure lists it no longer), moved (out of the management group), excluded (by a setting), or unknown.';
comment on column raw.current_scope.since is 'Since when, UTC: when it was noticed.';
comment on column raw.current_scope.fetch_id is 'The number of the newest row of raw.scope_changes about it.';
comment on view internal.event_types_with_findings is 'One row: one event type whose records become findings.';
comment on column internal.event_types_with_findings.event_type is 'Its name.';
comment on column internal.event_types_with_findings.place is
    'Which of the three numbers of a change in raw.scope_changes is that of its departure: 0, 1 or 2 after fetch_id.';
comment on column internal.event_types_with_findings.is_scored is
    'Whether it has points: each observation is an event then; else only what is new, changed or gone.';
comment on view internal.fetches_and_departures is
    'One row: one fetch, or one departure: a subscription that left the scope and one event type (outcome: left).';
comment on view raw.assessments is
    'One row: one version of an assessment (a recommendation on a resource) as Azure sent it, for as long as each complete fetch saw it.';
comment on column raw.assessments.run_id is 'The Dagster run that read it first.';
comment on column raw.assessments.tenant_id is 'The Entra tenant that the subscription belonged to then: a GUID, lower case.';
comment on column raw.assessments.subscription_id is 'The subscription that was read, lower case.';
comment on column raw.assessments.record_id is 'The record''s own id, as received; null when it has none.';
comment on column raw.assessments.name is 'The record''s own name, as received: the recommendation; null when it has none.';
comment on column raw.assessments.observed_at is 'When it was first read so, UTC.';
comment on column raw.assessments.ended_at is
    'When a complete fetch no longer saw it so, or its subscription left the scope, UTC; null while it is current.';
comment on column raw.assessments.page is 'The page it came on first, from 1.';
comment on column raw.assessments.position is 'Its place on that page, from 1.';
comment on column raw.assessments.request_id is 'x-ms-request-id of that page.';
comment on column raw.assessments.record is 'The record''s JSON, byte for byte.';
comment on view raw.assessment_metadata is
    'One row: one version of a recommendation''s metadata as Azure sent it, for as long as each complete fetch saw it.';
comment on view raw.records is 'One row: one record as Azure sent it, of either event type.';
comment on column raw.records.event_type is 'The event type: secure_scores or secure_score_controls.';
comment on column raw.records.run_id is 'The run that read it (Dagster run id).';
comment on column raw.records.tenant_id is
    'The Entra tenant that the subscription belonged to then: a GUID, lower case.';
comment on column raw.records.subscription_id is 'The subscription that was read, lower case.';
comment on column raw.records.record_id is 'The record''s own id, as received; null when it has none.';
comment on column raw.records.name is 'The record''s own name, as received; null when it has none.';
comment on column raw.records.observed_at is 'When the subscription was read, UTC: one instant a fetch.';
comment on column raw.records.page is 'The page it came on, from 1.';
comment on column raw.records.position is 'Its place on the page, from 1.';
comment on column raw.records.request_id is 'x-ms-request-id of that page.';
comment on column raw.records.record is 'The record''s JSON, byte for byte.';
comment on view raw.secure_scores is 'One row: one secure score as Azure sent it.';
comment on view raw.secure_score_controls is 'One row: one secure score control, its definition included, as Azure sent it.';
