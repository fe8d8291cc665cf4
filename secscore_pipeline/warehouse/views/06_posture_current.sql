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
    internal.round_percentage(observations."current" / nullif(observations."max", 0)) as fraction,
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
    internal.round_percentage(observations."current" / nullif(observations."max", 0)) as fraction,
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
    internal.round_points("max" - "current") as points_to_win,
    unhealthy as unhealthy_resources,
    round("max" / nullif(healthy + unhealthy, 0), 4) as points_per_resource,
    internal.round_percentage(("max" - "current") / nullif(sum("max") over (partition by subscription_id, score), 0))
        as fraction_to_win,
    rank() over (partition by tenant_id, score order by "max" - "current" desc) as place,
    observed_at
from posture.current_controls
qualify "max" > "current";

comment on view posture.current_scores is 'One row: one secure score of a subscription in scope, as the newest complete fetch of it has it; is_latest_fetch is false where a later fetch could not be made or found no score.';
comment on view posture.current_controls is 'One row: one secure score control of a subscription in scope, as the newest complete fetch of it has it.';
comment on view posture.opportunities is 'One row: one control of one subscription with a potential increase, and the points of one fixed resource.';
