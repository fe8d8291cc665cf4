-- The first tables: what was read, as received; what could not be normalized; and the findings.
create schema raw;
create schema ocsf;

create table raw.fetches (
    snapshot_id varchar not null,
    tenant_id varchar not null,
    subscription_id varchar not null,
    event_type varchar not null,
    started_at timestamptz not null,
    finished_at timestamptz not null,
    outcome varchar not null,
    http_status integer,
    error_code varchar,
    error varchar,
    pages integer not null,
    records integer not null,
    request_ids varchar[] not null,
    arm_endpoint varchar not null,
    cloud_partition varchar not null,
    stored_at timestamptz not null,
    primary key (snapshot_id, subscription_id, event_type)
);
comment on table raw.fetches is 'One row: one look at one subscription for one event type, however it ended.';
comment on column raw.fetches.snapshot_id is 'The run that looked (Dagster run id); scores and controls of one run share it.';
comment on column raw.fetches.tenant_id is 'The Entra tenant of the connection.';
comment on column raw.fetches.subscription_id is 'The subscription that was looked at, lower case.';
comment on column raw.fetches.event_type is 'secure_scores or secure_score_controls.';
comment on column raw.fetches.started_at is 'When the look began, UTC.';
comment on column raw.fetches.finished_at is 'When the look ended, UTC.';
comment on column raw.fetches.outcome is 'complete, no_score, not_registered, disabled, forbidden, not_found, throttled or failed.';
comment on column raw.fetches.http_status is 'Status of the last answer; null when there was none.';
comment on column raw.fetches.error_code is 'Error code of Azure, as received.';
comment on column raw.fetches.error is 'What happened and what to do about it; null when all went well.';
comment on column raw.fetches.pages is 'How many pages were read; 0 unless the outcome is complete or no_score.';
comment on column raw.fetches.records is 'How many records the pages held.';
comment on column raw.fetches.request_ids is 'x-ms-request-id of the answers, for Microsoft''s support.';
comment on column raw.fetches.arm_endpoint is 'The Azure Resource Manager that was asked.';
comment on column raw.fetches.cloud_partition is 'The Azure cloud of that endpoint, as the Azure command line names it.';
comment on column raw.fetches.stored_at is 'When the snapshot was written to this file, UTC.';

create table raw.secure_scores (
    snapshot_id varchar not null,
    tenant_id varchar not null,
    subscription_id varchar not null,
    record_id varchar,
    name varchar,
    observed_at timestamptz not null,
    page integer not null,
    position integer not null,
    request_id varchar,
    record varchar not null
);
comment on table raw.secure_scores is 'One row: one secure score as Azure sent it. Append-only.';
create table raw.secure_score_controls (
    snapshot_id varchar not null,
    tenant_id varchar not null,
    subscription_id varchar not null,
    record_id varchar,
    name varchar,
    observed_at timestamptz not null,
    page integer not null,
    position integer not null,
    request_id varchar,
    record varchar not null
);
comment on table raw.secure_score_controls is 'One row: one secure score control, its definition included, as Azure sent it. Append-only.';

create table raw.rejected (
    snapshot_id varchar not null,
    subscription_id varchar not null,
    event_type varchar not null,
    page integer not null,
    position integer not null,
    reason varchar not null,
    primary key (snapshot_id, subscription_id, event_type, page, position)
);
comment on table raw.rejected is 'One row: one raw record that cannot become a finding, and why. The record itself stays in its raw table.';

create table ocsf.normalized_snapshots (
    snapshot_id varchar not null,
    event_type varchar not null,
    primary key (snapshot_id, event_type)
);
comment on table ocsf.normalized_snapshots is 'One row: one event type of one run that is in ocsf.assessment_findings already.';

create table ocsf.finding_state (
    finding_uid varchar primary key,
    first_seen_time bigint not null,
    last_seen_time bigint not null,
    modified_time bigint,
    numbers struct(
        "current" double, "max" double, percentage double, weight bigint, healthy bigint, unhealthy bigint,
        not_applicable bigint, definition_max double
    )
);
comment on table ocsf.finding_state is 'One row: one finding as it stands now; times in epoch milliseconds. Derived from ocsf.assessment_findings.';

create table ocsf.assessment_findings (
    activity_id integer not null,
    activity_name varchar not null,
    category_uid integer not null,
    category_name varchar not null,
    class_uid bigint not null,
    class_name varchar not null,
    type_uid bigint not null,
    type_name varchar not null,
    time bigint not null,
    time_dt timestamptz not null,
    timezone_offset integer not null,
    severity_id integer not null,
    severity varchar not null,
    status_id integer not null,
    status varchar not null,
    status_detail varchar not null,
    message varchar not null,
    metadata struct(
        version varchar,
        profiles varchar[],
        extensions struct(name varchar, uid varchar, version varchar)[],
        product struct(name varchar, vendor_name varchar, feature struct(name varchar)),
        event_code varchar,
        log_name varchar,
        log_provider varchar,
        log_version varchar,
        uid varchar,
        original_event_uid varchar,
        correlation_uid varchar,
        tenant_uid varchar,
        logged_time bigint,
        logged_time_dt timestamptz
    ) not null,
    cloud struct(
        provider varchar,
        cloud_partition varchar,
        account struct(uid varchar, type_id integer, type varchar, name varchar),
        org struct(uid varchar)
    ) not null,
    finding_info struct(
        uid varchar,
        title varchar,
        types varchar[],
        created_time bigint,
        created_time_dt timestamptz,
        first_seen_time bigint,
        first_seen_time_dt timestamptz,
        last_seen_time bigint,
        last_seen_time_dt timestamptz,
        modified_time bigint,
        modified_time_dt timestamptz,
        src_url varchar,
        data_sources varchar[],
        product struct(name varchar, vendor_name varchar, feature struct(name varchar)),
        analytic struct(uid varchar, name varchar, type_id integer, type varchar, category varchar)
    ) not null,
    compliance struct(
        status_id integer,
        status varchar,
        standards varchar[],
        status_details varchar[],
        control varchar,
        "desc" varchar,
        checks struct(uid varchar)[],
        assessments struct(
            uid varchar, name varchar, meets_criteria boolean, category varchar, "desc" varchar
        )[]
    ) not null,
    resources struct(
        uid varchar, type varchar, cloud_partition varchar, role_id integer, role varchar, name varchar,
        owner struct(name varchar)
    )[] not null,
    observables struct(name varchar, type_id integer, type varchar, value varchar)[] not null,
    remediation struct("desc" varchar, "references" varchar[]),
    unmapped struct(
        secure_score struct(
            name varchar,
            "current" double,
            "max" double,
            percentage double,
            weight bigint,
            healthy_resource_count bigint,
            unhealthy_resource_count bigint,
            not_applicable_resource_count bigint,
            definition_max double
        )
    ) not null,
    raw_data varchar not null,
    raw_data_size bigint not null,
    raw_data_hash struct(algorithm_id integer, algorithm varchar, value varchar) not null
);
comment on table ocsf.assessment_findings is 'One row: one OCSF event of class Assessment Finding (99402001), an observation of a secure score or control.';
comment on column raw.secure_scores.snapshot_id is 'The run that read it (Dagster run id).';
comment on column raw.secure_scores.tenant_id is 'The Entra tenant of the connection.';
comment on column raw.secure_scores.subscription_id is 'The subscription that was read, lower case.';
comment on column raw.secure_scores.record_id is 'The record''s own id, as received; null when it has none.';
comment on column raw.secure_scores.name is 'The record''s own name, as received; null when it has none.';
comment on column raw.secure_scores.observed_at is 'When the subscription was read, UTC: one instant a snapshot.';
comment on column raw.secure_scores.page is 'The page it came on, from 1.';
comment on column raw.secure_scores.position is 'Its place on the page, from 1.';
comment on column raw.secure_scores.request_id is 'x-ms-request-id of that page.';
comment on column raw.secure_scores.record is 'The record''s JSON, byte for byte.';
comment on column raw.secure_score_controls.snapshot_id is 'The run that read it (Dagster run id).';
comment on column raw.secure_score_controls.tenant_id is 'The Entra tenant of the connection.';
comment on column raw.secure_score_controls.subscription_id is 'The subscription that was read, lower case.';
comment on column raw.secure_score_controls.record_id is 'The record''s own id, as received; null when it has none.';
comment on column raw.secure_score_controls.name is 'The record''s own name, as received; null when it has none.';
comment on column raw.secure_score_controls.observed_at is 'When the subscription was read, UTC: one instant a snapshot.';
comment on column raw.secure_score_controls.page is 'The page it came on, from 1.';
comment on column raw.secure_score_controls.position is 'Its place on the page, from 1.';
comment on column raw.secure_score_controls.request_id is 'x-ms-request-id of that page.';
comment on column raw.secure_score_controls.record is 'The record''s JSON, byte for byte.';
