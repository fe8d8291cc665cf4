-- One row: one secure score of a subscription in scope, as the newest complete fetch of it has it. A departure from the
-- scope ends what stands (internal.newest_fetches): no view of what is current has to ask.
create or replace view posture.current_scores as
select
    observations.cloud_partition,
    observations.feed,
    observations.tenant_id,
    observations.subscription_id,
    entities.name as subscription_name,
    observations.score_name as score,
    observations.display_name,
    observations."current",
    observations."max",
    internal.percentage_of(observations."current", observations."max") as percentage,
    internal.percent_of(observations."current", observations."max") as percent,
    observations.weight,
    observations.compliance_status as status,
    observations.observed_at,
    observations.fetch_id = coverage.newest_fetch_id as is_latest_fetch,
    observations.run_id
from ocsf.current_observations as observations
join (
    select event_type, subscription_id, max(fetch_id) as newest_fetch_id
    from raw.fetches
    group by event_type, subscription_id
) as coverage using (event_type, subscription_id)
left join internal.subscription_versions as entities using (subscription_version_id)
where observations.event_type = 'secure_scores';

-- One row: one secure score control as the newest complete fetch of its subscription has it.
create or replace view posture.current_controls as
select
    observations.cloud_partition,
    observations.feed,
    observations.tenant_id,
    observations.subscription_id,
    entities.name as subscription_name,
    observations.score_name as score,
    observations.name as control_id,
    observations.display_name as control,
    observations."current",
    observations."max",
    internal.percentage_of(observations."current", observations."max") as percentage,
    internal.percent_of(observations."current", observations."max") as percent,
    observations.weight,
    observations.healthy,
    observations.unhealthy,
    observations.not_applicable,
    observations.compliance_status as status,
    observations.severity_id,
    observations.modified_time,
    observations.observed_at,
    observations.run_id
from ocsf.current_observations as observations
left join internal.subscription_versions as entities using (subscription_version_id)
where observations.event_type = 'secure_score_controls';

-- One row: one control of one subscription with a potential increase. Microsoft's formula: a control's points are
-- max x healthy / (healthy + unhealthy), so each resource that is fixed gains max / (healthy + unhealthy).
create or replace view posture.opportunities as
select
    cloud_partition,
    feed,
    tenant_id,
    subscription_id,
    subscription_name,
    score,
    control_id,
    control,
    internal.round_points("max" - "current") as potential_increase,
    unhealthy as unhealthy_resources,
    round("max" / nullif(healthy + unhealthy, 0), 4) as points_per_resource,
    internal.percentage_of("max" - "current", sum("max") over whole) as potential_increase_percentage,
    internal.percent_of("max" - "current", sum("max") over whole) as potential_increase_percent,
    rank() over (partition by tenant_id, score order by "max" - "current" desc) as place,
    observed_at
from posture.current_controls
window whole as (partition by subscription_id, score)
qualify "max" > "current";

comment on view posture.current_scores is 'One row: one secure score of a subscription in scope, as the newest complete fetch of it has it; is_latest_fetch is false where a later fetch could not be made or found no score.';
comment on column posture.current_scores.cloud_partition is
    'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column posture.current_scores.feed is 'The feed that read it.';
comment on column posture.current_scores.tenant_id is 'The Entra tenant of the subscription: a GUID, lower case.';
comment on column posture.current_scores.subscription_id is 'The subscription, lower case.';
comment on column posture.current_scores.subscription_name is
    'The subscription''s display name; null where it is not known.';
comment on column posture.current_scores.score is
    'The name of the score: ascScore, which totals count, or another beside it.';
comment on column posture.current_scores.display_name is 'The score''s display name: that of the initiative.';
comment on column posture.current_scores.current is 'Points reached.';
comment on column posture.current_scores.max is 'Points that can be reached; 0 where nothing is scored.';
comment on column posture.current_scores.percentage is
    'current / max, 0..1, rounded to four digits; null where nothing is scored or no score was given.';
comment on column posture.current_scores.percent is 'percentage for people: 0..100.';
comment on column posture.current_scores.weight is 'Microsoft''s weight for rolling scores up.';
comment on column posture.current_scores.status is 'Pass (100 %), Fail (less), Warning, Not applicable or Not scored.';
comment on column posture.current_scores.observed_at is 'When it was observed, UTC.';
comment on column posture.current_scores.is_latest_fetch is
    'Whether no later fetch, failed or without a score, followed.';
comment on column posture.current_scores.run_id is 'The Dagster run that read it.';
comment on view posture.current_controls is 'One row: one secure score control of a subscription in scope, as the newest complete fetch of it has it.';
comment on column posture.current_controls.cloud_partition is
    'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column posture.current_controls.feed is 'The feed that read it.';
comment on column posture.current_controls.tenant_id is 'The Entra tenant of the subscription: a GUID, lower case.';
comment on column posture.current_controls.subscription_id is 'The subscription, lower case.';
comment on column posture.current_controls.subscription_name is
    'The subscription''s display name; null where it is not known.';
comment on column posture.current_controls.score is
    'The name of the score: ascScore, which totals count, or another beside it.';
comment on column posture.current_controls.control_id is 'The control''s name: the GUID of its definition.';
comment on column posture.current_controls.control is 'The control''s display name.';
comment on column posture.current_controls.current is 'Points reached.';
comment on column posture.current_controls.max is 'Points that can be reached; 0 where nothing is scored.';
comment on column posture.current_controls.percentage is
    'current / max, 0..1, rounded to four digits; null where nothing is scored or no score was given.';
comment on column posture.current_controls.percent is 'percentage for people: 0..100.';
comment on column posture.current_controls.weight is 'Microsoft''s weight for rolling scores up.';
comment on column posture.current_controls.healthy is 'Healthy resources.';
comment on column posture.current_controls.unhealthy is 'Unhealthy resources.';
comment on column posture.current_controls.not_applicable is 'Resources that do not count.';
comment on column posture.current_controls.status is
    'Pass (100 %), Fail (less), Warning, Not applicable or Not scored.';
comment on column posture.current_controls.severity_id is 'OCSF severity_id: 0 Unknown to 4 High.';
comment on column posture.current_controls.modified_time is
    'When its numbers last changed, epoch milliseconds; null if never.';
comment on column posture.current_controls.observed_at is 'When it was observed, UTC.';
comment on column posture.current_controls.run_id is 'The Dagster run that read it.';
comment on view posture.opportunities is 'One row: one control of one subscription with a potential increase, and the points of one fixed resource.';
comment on column posture.opportunities.cloud_partition is
    'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column posture.opportunities.feed is 'The feed that read it.';
comment on column posture.opportunities.tenant_id is 'The Entra tenant of the subscription: a GUID, lower case.';
comment on column posture.opportunities.subscription_id is 'The subscription, lower case.';
comment on column posture.opportunities.subscription_name is
    'The subscription''s display name; null where it is not known.';
comment on column posture.opportunities.score is
    'The name of the score: ascScore, which totals count, or another beside it.';
comment on column posture.opportunities.control_id is 'The control''s name: the GUID of its definition.';
comment on column posture.opportunities.control is 'The control''s display name.';
comment on column posture.opportunities.potential_increase is 'The potential increase in points: max - current.';
comment on column posture.opportunities.unhealthy_resources is 'Resources that lose points.';
comment on column posture.opportunities.points_per_resource is
    'Points that one fixed resource gains: max / (healthy + unhealthy).';
comment on column posture.opportunities.potential_increase_percentage is
    'What it would add to the subscription''s score, 0..1.';
comment on column posture.opportunities.potential_increase_percent is
    'potential_increase_percentage for people: percentage points, 0..100.';
comment on column posture.opportunities.place is
    'Its place among all controls of this score in the tenant, 1 for the most points.';
comment on column posture.opportunities.observed_at is 'When it was observed, UTC.';
