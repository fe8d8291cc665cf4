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
    internal.percentage_of(observations."current", observations."max") as PercentageScore,
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
join internal.record_versions as versions
    on versions.version_id = observations.version_id
    and versions.event_type = observations.event_type
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
    internal.percentage_of(observations."current", observations."max") as PercentageScore,
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
join internal.record_versions as versions
    on versions.version_id = observations.version_id
    and versions.event_type = observations.event_type
left join internal.control_definitions as definitions using (definition_id)
where observations.event_type = 'secure_score_controls'
    and observations.activity_id <> 3;

comment on view posture.SecureScores is 'One row: one observation of one secure score, as Log Analytics'' table SecureScores has it.';
comment on column posture.SecureScores.AssessedResourceId is 'The record''s id.';
comment on column posture.SecureScores._BilledSize is 'Always null: nothing is billed here.';
comment on column posture.SecureScores.CurrentScore is 'Points reached.';
comment on column posture.SecureScores.DisplayName is 'The initiative''s name.';
comment on column posture.SecureScores.Environment is 'Azure.';
comment on column posture.SecureScores._IsBillable is 'Always null: nothing is billed here.';
comment on column posture.SecureScores.IsSnapshot is 'Always true: every observation is part of a whole run.';
comment on column posture.SecureScores.MaxScore is 'Points that can be reached.';
comment on column posture.SecureScores.PercentageScore is 'current / max, 0..1; null where nothing is scored.';
comment on column posture.SecureScores.Properties is 'The record''s properties, as received.';
comment on column posture.SecureScores._ResourceId is 'Always null.';
comment on column posture.SecureScores.ResourceProviderType is 'The record''s type.';
comment on column posture.SecureScores.SecureScoresSubscriptionId is 'The subscription.';
comment on column posture.SecureScores.SourceSystem is 'Always null: no agent collected it.';
comment on column posture.SecureScores._SubscriptionId is 'The subscription.';
comment on column posture.SecureScores.TenantId is 'Always null: there is no Log Analytics workspace.';
comment on column posture.SecureScores.TimeGenerated is 'When it was observed, UTC.';
comment on column posture.SecureScores.Type is 'The table''s name.';
comment on column posture.SecureScores.Weight is 'Microsoft''s weight for rolling scores up.';
comment on view posture.SecureScoreControls is 'One row: one observation of one secure score control, as Log Analytics'' table SecureScoreControls has it.';
comment on column posture.SecureScoreControls.AssessedResourceId is 'The record''s id.';
comment on column posture.SecureScoreControls._BilledSize is 'Always null: nothing is billed here.';
comment on column posture.SecureScoreControls.ControlId is 'The control''s GUID.';
comment on column posture.SecureScoreControls.ControlName is 'The control''s display name.';
comment on column posture.SecureScoreControls.ControlType is 'The kind of definition, such as BuiltIn.';
comment on column posture.SecureScoreControls.CurrentScore is 'Points reached.';
comment on column posture.SecureScoreControls.Description is 'The control''s description.';
comment on column posture.SecureScoreControls.Environment is 'Azure.';
comment on column posture.SecureScoreControls.HealthyResources is 'Healthy resources.';
comment on column posture.SecureScoreControls._IsBillable is 'Always null: nothing is billed here.';
comment on column posture.SecureScoreControls.IsSnapshot is 'Always true: every observation is part of a whole run.';
comment on column posture.SecureScoreControls.MaxScore is 'Points that can be reached.';
comment on column posture.SecureScoreControls.NotApplicableResources is 'Resources that do not count.';
comment on column posture.SecureScoreControls.PercentageScore is 'current / max, 0..1; null where nothing is scored.';
comment on column posture.SecureScoreControls.Properties is 'The record''s properties, as received.';
comment on column posture.SecureScoreControls.RecommendationResourceIds is
    'The recommendations of the control, in this subscription.';
comment on column posture.SecureScoreControls._ResourceId is 'Always null.';
comment on column posture.SecureScoreControls.ResourceProviderType is 'The record''s type.';
comment on column posture.SecureScoreControls.SecureScoresSubscriptionId is 'The subscription.';
comment on column posture.SecureScoreControls.SourceSystem is 'Always null: no agent collected it.';
comment on column posture.SecureScoreControls._SubscriptionId is 'The subscription.';
comment on column posture.SecureScoreControls.TenantId is 'Always null: there is no Log Analytics workspace.';
comment on column posture.SecureScoreControls.TimeGenerated is 'When it was observed, UTC.';
comment on column posture.SecureScoreControls.Type is 'The table''s name.';
comment on column posture.SecureScoreControls.UnhealthyResources is 'Unhealthy resources.';
comment on column posture.SecureScoreControls.Weight is 'Microsoft''s weight for rolling scores up.';
