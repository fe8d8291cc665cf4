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

comment on column ocsf.observations.left_reason is
    'Why the subscription left the scope, where that closed the finding: deleted, disabled, not_listed, moved, excluded or unknown.';
comment on column ocsf.observations.day is 'The day (UTC) of observed_at.';
comment on view internal.current_fetches is 'One row: the newest complete fetch of one subscription and event type that is normalized.';
comment on view ocsf.current_observations is 'One row: one finding as it stands: as ocsf.observations, of the current fetches.';
comment on view ocsf.observations is
    'One row: one event in the life of a finding, flat and quick to query; ocsf.assessment_findings is the same as OCSF.';
