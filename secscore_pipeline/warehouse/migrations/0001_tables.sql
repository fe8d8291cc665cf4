-- Every table: what was read, as received; what it means; and the working tables between them.
create schema raw;
create schema ocsf;
create schema internal;

create table raw.fetches (
    fetch_id bigint not null,
    run_id varchar not null,
    sync_id varchar,
    feed varchar not null,
    tenant_id varchar not null,
    subscription_id varchar not null,
    subscription_version_id bigint,
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
    stored_at timestamptz not null,
    subscriptions_in_scope integer,
    api_version varchar
);
comment on table raw.fetches is
    'One row: one fetch of one event type of one subscription in one run, however it ended.';
comment on column raw.fetches.fetch_id is 'The fetch''s number, in the order fetches were stored.';
comment on column raw.fetches.run_id is
    'The run that read it (Dagster run id); scores and controls of one run share it. A retry has the id of the first try.';
comment on column raw.fetches.tenant_id is
    'The Entra tenant that the subscription belonged to then: a GUID, lower case.';
comment on column raw.fetches.subscription_id is 'The subscription that was read, lower case.';
comment on column raw.fetches.event_type is 'The event type: secure_scores, secure_score_controls, assessments or assessment_metadata.';
comment on column raw.fetches.started_at is 'When the fetch began, UTC.';
comment on column raw.fetches.finished_at is 'When the fetch ended, UTC.';
comment on column raw.fetches.observed_at is
    'When the fetch counts as made, UTC: finished_at, or later where the clock was behind that of the fetch before.';
comment on column raw.fetches.outcome is
    'complete, no_score, unsupported (its kind has none), not_registered, disabled, forbidden, not_found, throttled or failed.';
comment on column raw.fetches.http_status is 'Status of the last answer; null when there was none.';
comment on column raw.fetches.error_code is 'Error code of Azure, as received.';
comment on column raw.fetches.error is 'What happened and what to do about it; null when all went well.';
comment on column raw.fetches.pages is 'How many pages were read; 0 unless the outcome is complete or no_score.';
comment on column raw.fetches.records is 'How many records the pages held.';
comment on column raw.fetches.request_ids is
    'x-ms-request-id of the answers, for Microsoft''s support; of a complete fetch, one a page.';
comment on column raw.fetches.arm_endpoint is 'The Azure Resource Manager that was asked.';
comment on column raw.fetches.cloud_partition is
    'The Azure cloud of that endpoint, as the Azure command line names it.';
comment on column raw.fetches.stored_at is 'When it was written to this file, UTC.';
comment on column raw.fetches.feed is 'The feed that read it.';
comment on column raw.fetches.subscription_version_id is
    'How the subscription was listed last before, as in internal.subscription_versions; null when it never was.';
comment on column raw.fetches.sync_id is
    'The sync that the run was part of: all runs that together read every subscription of a feed once.';
comment on column raw.fetches.subscriptions_in_scope is
    'How many subscriptions of the feed were in scope when the run listed them.';
comment on column raw.fetches.api_version is
    'The api-version in which the list was read: the newest one that its cloud knows; null when no list was read.';

create table raw.scope_changes (
    fetch_id bigint not null,
    run_id varchar not null,
    feed varchar not null,
    subscription_id varchar not null,
    state varchar not null,
    reason varchar,
    changed_at timestamptz not null,
    observed_at timestamptz not null,
    stored_at timestamptz not null
);
comment on table raw.scope_changes is
    'One row: one change of a subscription''s place in the scope: it was read, or it left, and why. Append-only.';
comment on column raw.scope_changes.fetch_id is
    'The change''s number among those of raw.fetches, in the order they were stored; the two numbers after it are the change''s too.';
comment on column raw.scope_changes.run_id is 'The run that noticed it (Dagster run id).';
comment on column raw.scope_changes.feed is 'The feed whose scope it is.';
comment on column raw.scope_changes.subscription_id is 'The subscription, lower case.';
comment on column raw.scope_changes.state is 'in_scope or left.';
comment on column raw.scope_changes.reason is
    'Why it left: deleted, disabled, not_listed (Azure lists it no longer), moved (out of the management group), excluded (by a setting), or unknown.';
comment on column raw.scope_changes.changed_at is 'When it was noticed, UTC.';
comment on column raw.scope_changes.observed_at is
    'When it counts as noticed, UTC: changed_at, or later where the clock was behind that of the fetch before.';
comment on column raw.scope_changes.stored_at is 'When it was written to this file, UTC.';

create table raw.listings (
    listing_id bigint not null,
    run_id varchar not null,
    sync_id varchar,
    feed varchar not null,
    tenant_id varchar not null,
    listed_at timestamptz not null,
    subscriptions integer not null,
    management_groups struct(tenant_id varchar, top_group varchar, error varchar)[],
    arm_endpoint varchar not null,
    stored_at timestamptz not null
);
comment on table raw.listings is 'One row: one listing of the subscriptions that an identity can read. Append-only.';
comment on column raw.listings.listing_id is 'The listing''s number, in the order listings were stored.';
comment on column raw.listings.run_id is 'The run that listed (Dagster run id).';
comment on column raw.listings.feed is 'The feed that listed.';
comment on column raw.listings.tenant_id is 'The Entra tenant that the connection signed in to: a GUID, lower case.';
comment on column raw.listings.listed_at is 'When the listing was complete, UTC.';
comment on column raw.listings.subscriptions is 'How many subscriptions it held.';
comment on column raw.listings.management_groups is
    'For each tenant, the group below which paths begin, and why its groups could not be read (null: they could).';
comment on column raw.listings.arm_endpoint is 'The Azure Resource Manager that was asked.';
comment on column raw.listings.stored_at is 'When it was written to this file, UTC.';
comment on column raw.listings.sync_id is
    'The sync that the listing is for: all runs that together read every subscription of a feed once.';

create table raw.subscriptions (
    subscription_version_id bigint not null,
    listing_id bigint not null,
    feed varchar not null,
    tenant_id varchar,
    subscription_id varchar not null,
    owner_tag varchar not null,
    record varchar,
    ancestors varchar[]
);
comment on table raw.subscriptions is
    'One row: one subscription from the listing in which it differed from the listing before, until its next row. Append-only.';
comment on column raw.subscriptions.subscription_version_id is 'The row''s number, in the order rows were stored.';
comment on column raw.subscriptions.listing_id is 'The first listing that held it so, as in raw.listings.';
comment on column raw.subscriptions.feed is 'The feed that listed.';
comment on column raw.subscriptions.subscription_id is 'The subscription, lower case.';
comment on column raw.subscriptions.owner_tag is 'The tag that named its owner then (SECSCORE_OWNER_TAG).';
comment on column raw.subscriptions.record is 'The subscription''s JSON, byte for byte; null: it was no longer listed.';
comment on column raw.subscriptions.ancestors is
    'The JSON of the management groups above it, nearest first, up to the top group, which has none; null: unknown.';
comment on column raw.subscriptions.tenant_id is
    'The Entra tenant that it belongs to: a GUID, lower case; null where the list did not say.';

create table internal.record_versions (
    version_id bigint not null,
    first_fetch_id bigint not null,
    event_type varchar not null,
    occurrence integer not null,
    record varchar not null using compression zstd
);
comment on table internal.record_versions is
    'One row: one record version: the text of a record while it stays the same, stored once.';
comment on column internal.record_versions.version_id is 'The version''s number, in the order versions were stored.';
comment on column internal.record_versions.first_fetch_id is 'The fetch that saw it first.';
comment on column internal.record_versions.event_type is
    'The event type of that fetch: who reads the texts of one event type does not unpack those of others.';
comment on column internal.record_versions.occurrence is '1, or more where one fetch had several records with the same id.';
comment on column internal.record_versions.record is 'The record''s JSON, byte for byte.';

create table internal.observations (
    fetch_id bigint not null,
    page integer not null,
    position integer not null,
    version_id bigint not null
);
comment on table internal.observations is 'One row: one observation: one record version in one fetch.';
comment on column internal.observations.fetch_id is 'The fetch, as in raw.fetches.';
comment on column internal.observations.page is 'The page it came on, from 1.';
comment on column internal.observations.position is 'Its place on the page, from 1.';
comment on column internal.observations.version_id is 'The record version, as in internal.record_versions.';

create table internal.record_spans (
    version_id bigint not null,
    event_type varchar not null,
    subscription_id varchar not null,
    page integer not null,
    position integer not null,
    first_fetch_id bigint not null,
    ended_fetch_id bigint
);
comment on table internal.record_spans is
    'One row: one record version for as long as each complete fetch saw it. It costs what changes, not what is read: assessments and their metadata are stored so.';
comment on column internal.record_spans.version_id is 'The record version, as in internal.record_versions.';
comment on column internal.record_spans.event_type is 'assessments or assessment_metadata.';
comment on column internal.record_spans.subscription_id is 'The subscription, lower case.';
comment on column internal.record_spans.page is 'The page it came on in the first of those fetches, from 1.';
comment on column internal.record_spans.position is 'Its place on that page, from 1.';
comment on column internal.record_spans.first_fetch_id is 'The first fetch that saw it, as in raw.fetches.';
comment on column internal.record_spans.ended_fetch_id is
    'The first complete fetch after it that no longer saw it, or the departure of its subscription; null: it is current.';

create table internal.latest_versions (
    event_type varchar not null,
    subscription_id varchar not null,
    record_key uuid not null,
    record_name varchar not null,
    occurrence integer not null,
    version_id bigint not null,
    record_hash uuid not null
);
comment on table internal.latest_versions is 'One row: the newest version of one record, to tell whether the next one differs.';
comment on column internal.latest_versions.event_type is 'The event type: secure_scores, secure_score_controls, assessments or assessment_metadata.';
comment on column internal.latest_versions.subscription_id is 'The subscription, lower case.';
comment on column internal.latest_versions.record_key is
    'MD5 of the record''s id in lower case; of an empty text when it has none.';
comment on column internal.latest_versions.record_name is
    'The last segment of the record''s id in lower case; empty when it has none.';
comment on column internal.latest_versions.occurrence is '1, or more where one fetch had several records with the same id.';
comment on column internal.latest_versions.version_id is 'The record version, as in internal.record_versions.';
comment on column internal.latest_versions.record_hash is 'The first half of the SHA-256 of the text.';

create table internal.normalized_fetches (
    run_id varchar not null,
    event_type varchar not null,
    informational_from double not null,
    low_from double not null,
    medium_from double not null,
    extension_version varchar not null
);
comment on table internal.normalized_fetches is
    'One row: one event type of one run that is normalized, and how it was rated.';
comment on column internal.normalized_fetches.run_id is 'The run (Dagster run id).';
comment on column internal.normalized_fetches.event_type is 'The event type: secure_scores, secure_score_controls, assessments or assessment_metadata.';
comment on column internal.normalized_fetches.informational_from is
    'A failing finding with current / max from here: Informational.';
comment on column internal.normalized_fetches.low_from is 'From here: Low.';
comment on column internal.normalized_fetches.medium_from is 'From here: Medium; below: High.';
comment on column internal.normalized_fetches.extension_version is 'metadata.extensions[0].version of its findings.';

create table internal.control_definitions (
    definition_id bigint not null,
    definition_key varchar not null,
    definition struct(
        name varchar, display_name varchar, description varchar, max_score double, source_type varchar,
        check_uids varchar[]
    ) not null
);
comment on table internal.control_definitions is 'One row: one secure score control definition as it once stood.';
comment on column internal.control_definitions.definition_id is 'The control''s definition, as in internal.control_definitions.';
comment on column internal.control_definitions.definition_key is 'MD5 of the definition''s text.';
comment on column internal.control_definitions.definition is 'The definition''s fields.';

create table internal.parsed_versions (
    version_id bigint not null,
    finding_id bigint,
    rejection varchar,
    id varchar,
    name varchar,
    type varchar,
    display_name varchar,
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
comment on table internal.parsed_versions is 'One row: one record version parsed: its fields typed, or why it cannot be a finding.';
comment on column internal.parsed_versions.version_id is 'The record version, as in internal.record_versions.';
comment on column internal.parsed_versions.finding_id is 'The finding''s number in this file.';
comment on column internal.parsed_versions.rejection is 'Why the record cannot be a finding; null when it can.';
comment on column internal.parsed_versions.id is 'The record''s id, as received.';
comment on column internal.parsed_versions.name is 'The record''s name, as received.';
comment on column internal.parsed_versions.type is 'The record''s type, as received.';
comment on column internal.parsed_versions.display_name is 'The display name of the score or control.';
comment on column internal.parsed_versions.score_name is 'The name of the score, or of the control''s score.';
comment on column internal.parsed_versions.score_display_name is 'The display name of a control''s score.';
comment on column internal.parsed_versions.current is 'Points reached.';
comment on column internal.parsed_versions.max is 'Points that can be reached; 0 where nothing is scored.';
comment on column internal.parsed_versions.percentage is 'current / max as Azure gives it, 0..1.';
comment on column internal.parsed_versions.weight is 'Microsoft''s weight for rolling scores up.';
comment on column internal.parsed_versions.healthy is 'Healthy resources.';
comment on column internal.parsed_versions.unhealthy is 'Unhealthy resources.';
comment on column internal.parsed_versions.not_applicable is 'Resources that do not count.';
comment on column internal.parsed_versions.definition_id is 'The control''s definition, as in internal.control_definitions.';
comment on column internal.parsed_versions.modified_time is 'When its numbers last changed, epoch milliseconds; null if never.';

create table internal.parsed_assessments (
    version_id bigint not null,
    finding_id bigint,
    rejection varchar,
    recommendation_id varchar,
    type varchar,
    display_name varchar,
    state varchar,
    status_code varchar,
    cause varchar,
    status_description varchar,
    first_evaluated_at timestamptz,
    status_changed_at timestamptz,
    source varchar,
    resource_id varchar,
    resource_name varchar,
    resource_type varchar,
    account_id varchar,
    risk_level varchar,
    risk_factors varchar[],
    attack_paths bigint,
    portal_url varchar,
    first_seen_time bigint,
    modified_time bigint
);
comment on table internal.parsed_assessments is
    'One row: one version of an assessment parsed: its fields typed, or why it cannot be a finding.';
comment on column internal.parsed_assessments.version_id is 'The record version, as in internal.record_versions.';
comment on column internal.parsed_assessments.finding_id is 'The finding''s number in this file.';
comment on column internal.parsed_assessments.rejection is 'Why the record cannot be a finding; null when it can.';
comment on column internal.parsed_assessments.recommendation_id is
    'The recommendation: the record''s name, in lower case; its metadata has the same.';
comment on column internal.parsed_assessments.type is 'The record''s type, as received.';
comment on column internal.parsed_assessments.display_name is 'The recommendation''s display name.';
comment on column internal.parsed_assessments.state is
    'unhealthy, healthy, exempt, not_applicable, or unknown where Azure sent a status that is none of these.';
comment on column internal.parsed_assessments.status_code is 'Healthy, Unhealthy, NotApplicable, or what Azure sent instead.';
comment on column internal.parsed_assessments.cause is 'Why it has that status, such as Exempt or OffByPolicy, as received.';
comment on column internal.parsed_assessments.status_description is 'The same in a sentence, as received.';
comment on column internal.parsed_assessments.first_evaluated_at is 'When Azure first evaluated it, UTC; null where it does not say.';
comment on column internal.parsed_assessments.status_changed_at is
    'When its status last changed, by Azure, UTC; null where it does not say.';
comment on column internal.parsed_assessments.source is 'Where the resource is: Azure, Aws, Gcp, OnPremise or OnPremiseSql.';
comment on column internal.parsed_assessments.resource_id is 'The resource''s id, as received.';
comment on column internal.parsed_assessments.resource_name is 'The resource''s name.';
comment on column internal.parsed_assessments.resource_type is 'The resource''s type, with its provider where known.';
comment on column internal.parsed_assessments.account_id is
    'The connector of a resource that is not in Azure; null where it is in Azure.';
comment on column internal.parsed_assessments.risk_level is
    'None, Low, Medium, High or Critical, as Defender CSPM rates the resource''s risk; null without it.';
comment on column internal.parsed_assessments.risk_factors is 'What the risk is made of, as received.';
comment on column internal.parsed_assessments.attack_paths is 'How many attack paths lead over the resource; null where it is not known.';
comment on column internal.parsed_assessments.portal_url is 'The assessment in the Azure portal; null where Azure gave no link.';
comment on column internal.parsed_assessments.first_seen_time is
    'When this store first saw the finding, epoch milliseconds, as in internal.findings: who reads the one needs no join to the other.';
comment on column internal.parsed_assessments.modified_time is
    'When its status last changed, epoch milliseconds: by Azure''s date, else when this store first saw it; null if never.';

create table internal.parsed_metadata (
    version_id bigint not null,
    recommendation_id varchar,
    display_name varchar,
    severity varchar,
    user_impact varchar,
    effort varchar,
    description varchar,
    remediation varchar,
    categories varchar[],
    threats varchar[],
    tactics varchar[],
    techniques varchar[],
    assessment_type varchar,
    policy_definition_id varchar,
    is_preview boolean
);
comment on table internal.parsed_metadata is 'One row: one version of a recommendation''s metadata parsed: its fields typed.';
comment on column internal.parsed_metadata.version_id is 'The record version, as in internal.record_versions.';
comment on column internal.parsed_metadata.recommendation_id is 'The recommendation: the record''s name, in lower case.';
comment on column internal.parsed_metadata.display_name is 'The recommendation''s display name.';
comment on column internal.parsed_metadata.severity is 'Low, Medium, High or Critical.';
comment on column internal.parsed_metadata.user_impact is 'Effect on users: Low, Moderate or High.';
comment on column internal.parsed_metadata.effort is 'Effort of implementing it: Low, Moderate or High.';
comment on column internal.parsed_metadata.description is 'What it is about, as plain text.';
comment on column internal.parsed_metadata.remediation is 'What to do, as plain text.';
comment on column internal.parsed_metadata.categories is 'What it concerns, such as Compute or IdentityAndAccess.';
comment on column internal.parsed_metadata.threats is 'Threats that it counters.';
comment on column internal.parsed_metadata.tactics is 'MITRE ATT&CK tactics that it counters, by name.';
comment on column internal.parsed_metadata.techniques is 'MITRE ATT&CK techniques that it counters, by name.';
comment on column internal.parsed_metadata.assessment_type is 'Who makes it, such as BuiltIn or CustomPolicy.';
comment on column internal.parsed_metadata.policy_definition_id is 'The policy definition behind it, as received.';
comment on column internal.parsed_metadata.is_preview is 'Whether it is a preview, which never counts for a score.';

create table internal.recommendation_events (
    fetch_id bigint not null,
    finding_id bigint not null,
    version_id bigint not null,
    previous_version_id bigint,
    change varchar not null,
    activity_id integer,
    last_seen_time bigint
);
comment on table internal.recommendation_events is
    'One row: one change of one recommendation on one resource: it came, its status or text changed, or it is gone.';
comment on column internal.recommendation_events.fetch_id is 'The fetch that saw it, or the departure, as in raw.fetches.';
comment on column internal.recommendation_events.finding_id is 'The finding''s number in this file.';
comment on column internal.recommendation_events.version_id is
    'The record version from then on; of one that is gone, the last.';
comment on column internal.recommendation_events.previous_version_id is 'The record version before; null where there was none.';
comment on column internal.recommendation_events.change is
    'broke (became unhealthy), fixed, exempted, not_applicable, came, went, left (with its subscription) or updated.';
comment on column internal.recommendation_events.activity_id is
    'The OCSF activity: 1 Create, 2 Update, 3 Close; null: the change is no event, since the finding was never unhealthy.';
comment on column internal.recommendation_events.last_seen_time is
    'Of one that is gone: when it was last seen, epoch milliseconds.';

create table internal.findings (
    finding_id bigint not null,
    finding_uid varchar not null,
    event_type varchar not null,
    subscription_id varchar not null,
    first_seen_time bigint not null,
    modified_time bigint,
    newest_version_id bigint,
    numbers varchar
);
comment on table internal.findings is
    'One row: one finding, where it belongs and how it stands; times in epoch milliseconds.';
comment on column internal.findings.finding_id is 'The finding''s number in this file.';
comment on column internal.findings.finding_uid is 'The finding''s identifier: the record''s id in lower case.';
comment on column internal.findings.event_type is 'The event type: secure_scores, secure_score_controls, assessments or assessment_metadata.';
comment on column internal.findings.subscription_id is 'The subscription, lower case.';
comment on column internal.findings.first_seen_time is 'When this store first saw the finding, epoch milliseconds.';
comment on column internal.findings.modified_time is
    'When its numbers last changed, epoch milliseconds; null if never. Of assessments, which change in internal.parsed_assessments: as newest_version_id.';
comment on column internal.findings.newest_version_id is
    'The record version that it was last seen with; 0 for one that was deleted. Of assessments only the latter, else null.';
comment on column internal.findings.numbers is
    'Its numbers as one text, to tell whether the next ones differ; of assessments the state, as newest_version_id.';

create table internal.closings (
    fetch_id bigint not null,
    version_id bigint not null,
    last_seen_time bigint not null,
    reason varchar
);
comment on table internal.closings is
    'One row: one finding that was closed: a complete fetch no longer held its record, or the subscription left the scope.';
comment on column internal.closings.fetch_id is 'The fetch, as in raw.fetches.';
comment on column internal.closings.version_id is 'The record version, as in internal.record_versions.';
comment on column internal.closings.last_seen_time is 'When it was last seen, epoch milliseconds; before time for a Close.';
comment on column internal.closings.reason is
    'Why the subscription left the scope, as in raw.scope_changes; null: a complete fetch no longer saw the record.';

create table internal.departures (
    fetch_id bigint not null,
    event_type varchar not null,
    subscription_id varchar not null,
    run_id varchar not null,
    feed varchar not null,
    reason varchar not null,
    changed_at timestamptz not null,
    observed_at timestamptz not null,
    stored_at timestamptz not null,
    last_fetch_id bigint not null
);
comment on table internal.departures is
    'One row: one subscription that left the scope and one event type of which it had been read: it closes the findings.';
comment on column internal.departures.fetch_id is
    'Its number among those of raw.fetches: that of raw.scope_changes, or the one after it.';
comment on column internal.departures.event_type is 'The event type: secure_scores, secure_score_controls, assessments or assessment_metadata.';
comment on column internal.departures.subscription_id is 'The subscription, lower case.';
comment on column internal.departures.run_id is 'The run that noticed it (Dagster run id).';
comment on column internal.departures.feed is 'The feed whose scope it left.';
comment on column internal.departures.reason is 'Why it left, as in raw.scope_changes.';
comment on column internal.departures.changed_at is 'When it was noticed, UTC.';
comment on column internal.departures.observed_at is 'When it counts as noticed, UTC, as in raw.scope_changes.';
comment on column internal.departures.stored_at is 'When it was written to this file, UTC.';
comment on column internal.departures.last_fetch_id is 'The last complete fetch before it, as in raw.fetches.';

create table internal.newest_fetches (
    event_type varchar not null,
    subscription_id varchar not null,
    fetch_id bigint not null,
    time bigint not null
);
comment on table internal.newest_fetches is
    'One row: the newest complete fetch of a subscription and event type that is normalized.';
comment on column internal.newest_fetches.event_type is 'The event type: secure_scores, secure_score_controls, assessments or assessment_metadata.';
comment on column internal.newest_fetches.subscription_id is 'The subscription, lower case.';
comment on column internal.newest_fetches.fetch_id is 'The fetch, as in raw.fetches.';
comment on column internal.newest_fetches.time is 'When it was observed, epoch milliseconds.';

create table internal.baselines (
    finding_uid varchar not null,
    event_type varchar not null,
    subscription_id varchar not null,
    first_seen_time bigint not null,
    modified_time bigint,
    numbers varchar,
    has_events boolean not null
);
comment on table internal.baselines is
    'One row: one finding as it stood at the last fetch that a retention deleted; a rebuild begins there.';
comment on column internal.baselines.finding_uid is 'The finding''s identifier: the record''s id in lower case.';
comment on column internal.baselines.event_type is 'The event type: secure_scores, secure_score_controls, assessments or assessment_metadata.';
comment on column internal.baselines.subscription_id is 'The subscription, lower case.';
comment on column internal.baselines.first_seen_time is 'When this store first saw the finding, epoch milliseconds.';
comment on column internal.baselines.modified_time is 'When its numbers last changed, epoch milliseconds; null if never.';
comment on column internal.baselines.numbers is 'Its numbers or its state as one text, to tell whether the next ones differ.';
comment on column internal.baselines.has_events is 'Whether there were OCSF events of it.';

create table internal.subscription_versions (
    subscription_version_id bigint not null,
    feed varchar not null,
    subscription_id varchar not null,
    listed_at timestamptz not null,
    is_listed boolean not null,
    tenant_id varchar,
    name varchar,
    state varchar,
    owner varchar,
    tags map(varchar, varchar),
    management_groups struct(id varchar, name varchar)[]
);
comment on table internal.subscription_versions is
    'One row: one subscription version: how it was named, tagged and placed while that stayed the same.';
comment on column internal.subscription_versions.subscription_version_id is 'The row''s number, as in raw.subscriptions.';
comment on column internal.subscription_versions.feed is 'The feed that listed.';
comment on column internal.subscription_versions.subscription_id is 'The subscription, lower case.';
comment on column internal.subscription_versions.listed_at is 'Since when it was listed so, UTC.';
comment on column internal.subscription_versions.is_listed is 'Whether it was listed at all; false: it no longer was.';
comment on column internal.subscription_versions.tenant_id is 'The Entra tenant that the subscription belongs to.';
comment on column internal.subscription_versions.name is 'The subscription''s display name.';
comment on column internal.subscription_versions.state is 'Enabled, Warned, PastDue, Disabled or Deleted.';
comment on column internal.subscription_versions.owner is 'The value of the tag that names its owner (SECSCORE_OWNER_TAG).';
comment on column internal.subscription_versions.tags is 'Its tags.';
comment on column internal.subscription_versions.management_groups is
    'The management groups it lies in, outermost first, the top group left out; null: unknown.';

create table meta.retentions (
    cutoff timestamptz not null
);
comment on table meta.retentions is
    'One row: everything that was observed before a moment has been deleted, by a retention.';
comment on column meta.retentions.cutoff is 'That moment, UTC.';

create table meta.views (digest varchar not null);
comment on table meta.views is 'One row: which views this file has, as a digest of their SQL.';
comment on column meta.views.digest is 'SHA-256 of the views'' SQL.';
