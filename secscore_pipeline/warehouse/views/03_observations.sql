-- One row: one event in the life of a finding, flat: an observation (Create or Update), or its end (Close): the record is gone
-- from a complete fetch, or its subscription has left the scope.
-- Of the fetches in a table or view that has the columns of raw.fetches: the fewer those are, the less is read.
create or replace macro internal.observations_at(source) as table
with events as (
    select fetch_id, version_id, cast(null as bigint) as closed_after, cast(null as varchar) as left_reason
    from internal.observations
    union all
    select fetch_id, version_id, last_seen_time as closed_after, reason as left_reason
    from internal.closings
),
finding_events as (
    select
        fetches.fetch_id,
        fetches.run_id,
        fetches.tenant_id,
        fetches.subscription_id,
        fetches.event_type,
        fetches.event_type = 'secure_score_controls' as is_control,
        fetches.observed_at,
        internal.day_of(fetches.observed_at) as day,
        epoch_ms(fetches.observed_at) as time,
        fetches.stored_at,
        fetches.arm_endpoint,
        fetches.cloud_partition,
        fetches.feed,
        fetches.subscription_version_id,
        normalized.informational_from,
        normalized.low_from,
        normalized.medium_from,
        normalized.extension_version,
        case
            when events.closed_after is not null then 3
            when epoch_ms(fetches.observed_at) = findings.first_seen_time then 1
            else 2
        end as activity_id,
        events.left_reason,
        findings.finding_id,
        findings.finding_uid,
        findings.first_seen_time,
        coalesce(events.closed_after, epoch_ms(fetches.observed_at)) as last_seen_time,
        parsed.modified_time,
        parsed.version_id,
        parsed.id,
        internal.spell_id(parsed.name) as name,
        parsed.type,
        parsed.display_name,
        internal.spell_score(parsed.score_name) as score_name,
        parsed.score_display_name,
        parsed."current",
        parsed."max",
        parsed.percentage,
        parsed.weight,
        parsed.healthy,
        parsed.unhealthy,
        parsed.not_applicable,
        parsed.definition_id
    from events
    join query_table(source) as fetches using (fetch_id)
    join internal.normalized_fetches as normalized using (run_id, event_type)
    join internal.parsed_versions as parsed using (version_id)
    join internal.findings as findings using (finding_id)
),
rated_observations as (
    select
        *,
        is_control and healthy is not null and unhealthy is not null as is_counted,
        case
            when is_control and unhealthy > 0 then 3
            when is_control and healthy > 0 and unhealthy is not null then 1
            when is_control and healthy is not null and unhealthy is not null then 99
            when "current" is null or "max" is null then 2
            when "max" = 0 then 99
            when "current" >= "max" then 1
            else 3
        end as compliance_status_id
    from finding_events
)
select
    *,
    case
        when compliance_status_id = 1 then 'Pass'
        when compliance_status_id = 2 then 'Warning'
        when compliance_status_id = 3 then 'Fail'
        when is_counted then 'Not applicable'
        else 'Not scored'
    end as compliance_status,
    case
        when "current" is null or "max" is null then 0
        when compliance_status_id <> 3 then 1
        when "max" <= 0 then 2
        when "current" / "max" >= informational_from then 1
        when "current" / "max" >= low_from then 2
        when "current" / "max" >= medium_from then 3
        else 4
    end as severity_id
from rated_observations;

create or replace view ocsf.observations as
from internal.observations_at('internal.fetches_and_departures');

-- The current fetches: the newest complete one of each subscription and event type.
create or replace view internal.current_fetches as
select fetches.*
from raw.fetches as fetches
join internal.newest_fetches as newest using (fetch_id);

create or replace view ocsf.current_observations as
from internal.observations_at('internal.current_fetches')
where activity_id <> 3;

comment on view internal.current_fetches is 'One row: the newest complete fetch of one subscription and event type that is normalized.';
comment on view ocsf.current_observations is 'One row: one finding as it stands: as ocsf.observations, of the current fetches.';
comment on view ocsf.observations is
    'One row: one event in the life of a finding, flat and quick to query; ocsf.assessment_findings is the same as OCSF.';
comment on column ocsf.observations.fetch_id is 'The fetch that saw it, as in raw.fetches.';
comment on column ocsf.observations.run_id is 'The run that read it (Dagster run id).';
comment on column ocsf.observations.tenant_id is
    'The Entra tenant that the subscription belonged to then: a GUID, lower case.';
comment on column ocsf.observations.subscription_id is 'The subscription, lower case.';
comment on column ocsf.observations.event_type is 'secure_scores or secure_score_controls.';
comment on column ocsf.observations.is_control is 'Whether it is a control rather than a score.';
comment on column ocsf.observations.observed_at is 'When it was observed, UTC.';
comment on column ocsf.observations.day is 'The day (UTC) of observed_at.';
comment on column ocsf.observations.time is 'When it was observed, epoch milliseconds.';
comment on column ocsf.observations.stored_at is 'When its run was stored, UTC.';
comment on column ocsf.observations.arm_endpoint is 'The Azure Resource Manager that was asked.';
comment on column ocsf.observations.cloud_partition is
    'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column ocsf.observations.feed is 'The feed that read it.';
comment on column ocsf.observations.subscription_version_id is
    'How the subscription was listed last before, as in internal.subscription_versions; null when it never was.';
comment on column ocsf.observations.informational_from is 'The threshold that rated it: Informational from here.';
comment on column ocsf.observations.low_from is 'The threshold that rated it: Low from here.';
comment on column ocsf.observations.medium_from is 'The threshold that rated it: Medium from here, High below.';
comment on column ocsf.observations.extension_version is 'metadata.extensions[0].version of its OCSF event.';
comment on column ocsf.observations.activity_id is '1 Create, 2 Update, 3 Close.';
comment on column ocsf.observations.left_reason is
    'Why the subscription left the scope, where that closed the finding: deleted, disabled, not_listed, moved, excluded or unknown.';
comment on column ocsf.observations.finding_id is 'The finding''s number in this database.';
comment on column ocsf.observations.finding_uid is 'The finding''s identifier: the record''s id in lower case.';
comment on column ocsf.observations.first_seen_time is 'When this database first saw the finding, epoch milliseconds.';
comment on column ocsf.observations.last_seen_time is
    'When it was last seen, epoch milliseconds; before time for a Close.';
comment on column ocsf.observations.modified_time is
    'When its numbers last changed, epoch milliseconds; null if never.';
comment on column ocsf.observations.version_id is 'The text it was read from, as in internal.record_versions.';
comment on column ocsf.observations.id is 'The record''s id, as received.';
comment on column ocsf.observations.name is 'The record''s name, as received.';
comment on column ocsf.observations.type is 'The record''s type, as received.';
comment on column ocsf.observations.display_name is 'The display name of the score or control.';
comment on column ocsf.observations.score_name is 'The name of the score, or of the control''s score.';
comment on column ocsf.observations.score_display_name is 'The display name of a control''s score.';
comment on column ocsf.observations.current is 'Points reached.';
comment on column ocsf.observations.max is 'Points that can be reached; 0 where nothing is scored.';
comment on column ocsf.observations.percentage is 'current / max as Azure gives it, 0..1.';
comment on column ocsf.observations.weight is 'Microsoft''s weight for rolling scores up.';
comment on column ocsf.observations.healthy is 'Healthy resources.';
comment on column ocsf.observations.unhealthy is 'Unhealthy resources.';
comment on column ocsf.observations.not_applicable is 'Resources that do not count.';
comment on column ocsf.observations.definition_id is 'The control''s definition, as in internal.control_definitions.';
comment on column ocsf.observations.is_counted is 'Whether a control''s resources were counted.';
comment on column ocsf.observations.compliance_status_id is
    'OCSF compliance.status_id: 1 Pass, 2 Warning, 3 Fail, 99 Other.';
comment on column ocsf.observations.compliance_status is
    'Pass (100 %), Fail (less), Warning, Not applicable or Not scored.';
comment on column ocsf.observations.severity_id is 'OCSF severity_id: 0 Unknown to 4 High.';
