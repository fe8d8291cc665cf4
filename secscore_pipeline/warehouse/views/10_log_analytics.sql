-- The tables that Microsoft's continuous export fills in Log Analytics, by its column names and types (string, real as
-- double, int as integer, long as bigint, dynamic as JSON), so that queries written for those carry over.
-- What does not fit its type is null. TenantId is a Log Analytics workspace there, which we have none of; the same holds for what an export bills.

-- One row: one observation of one secure score.
create or replace view posture.SecureScores as
select
    observations.id as AssessedResourceId,
    cast(null as double) as _BilledSize,
    observations."current" as CurrentScore,
    observations.display_name as DisplayName,
    'Azure' as Environment,
    cast(null as varchar) as _IsBillable,
    true as IsSnapshot,
    try_cast(observations."max" as integer) as MaxScore,
    internal.round_percentage(observations."current" / nullif(observations."max", 0)) as PercentageScore,
    json_extract(versions.record, '$.properties') as Properties,
    cast(null as varchar) as _ResourceId,
    observations.type as ResourceProviderType,
    observations.subscription_id as SecureScoresSubscriptionId,
    cast(null as varchar) as SourceSystem,
    observations.subscription_id as _SubscriptionId,
    cast(null as varchar) as TenantId,
    observations.observed_at as TimeGenerated,
    'SecureScores' as Type,
    observations.weight as Weight
from ocsf.observations as observations
join internal.record_versions as versions using (version_id)
where observations.event_type = 'secure_scores'
    and observations.activity_id <> 3;

-- One row: one observation of one secure score control.
create or replace view posture.SecureScoreControls as
select
    observations.id as AssessedResourceId,
    cast(null as double) as _BilledSize,
    observations.name as ControlId,
    observations.display_name as ControlName,
    definitions.definition.source_type as ControlType,
    observations."current" as CurrentScore,
    definitions.definition.description as Description,
    'Azure' as Environment,
    try_cast(observations.healthy as integer) as HealthyResources,
    cast(null as varchar) as _IsBillable,
    true as IsSnapshot,
    try_cast(observations."max" as integer) as MaxScore,
    try_cast(observations.not_applicable as integer) as NotApplicableResources,
    internal.round_percentage(observations."current" / nullif(observations."max", 0)) as PercentageScore,
    json_extract(versions.record, '$.properties') as Properties,
    to_json(list_transform(
        definitions.definition.check_uids,
        lambda uid: '/subscriptions/' || observations.subscription_id || '/providers/Microsoft.Security/assessments/' || uid
    )) as RecommendationResourceIds,
    cast(null as varchar) as _ResourceId,
    observations.type as ResourceProviderType,
    observations.subscription_id as SecureScoresSubscriptionId,
    cast(null as varchar) as SourceSystem,
    observations.subscription_id as _SubscriptionId,
    cast(null as varchar) as TenantId,
    observations.observed_at as TimeGenerated,
    'SecureScoreControls' as Type,
    try_cast(observations.unhealthy as integer) as UnhealthyResources,
    observations.weight as Weight
from ocsf.observations as observations
join internal.record_versions as versions using (version_id)
left join internal.control_definitions as definitions using (definition_id)
where observations.event_type = 'secure_score_controls'
    and observations.activity_id <> 3;

comment on view posture.SecureScores is 'One row: one observation of one secure score, as Log Analytics'' table SecureScores has it.';
comment on view posture.SecureScoreControls is 'One row: one observation of one secure score control, as Log Analytics'' table SecureScoreControls has it.';
