-- The scores as they stand and as they stood. A fraction is 0..1; it is null where nothing is scored (maximum 0) or no
-- score was given, and never 0 in their place. What is computed is rounded as Azure rounds: a fraction to four digits,
-- points to two; what adds up or is averaged is computed of points that are not rounded.
create schema if not exists posture;

-- One row: one observation of one secure score.
create or replace view posture.score_history as
select
    observations.observed_at,
    observations.day,
    observations.fetch_id = max(observations.fetch_id) over score_of_day as is_last_of_day,
    observations.cloud_partition,
    observations.feed,
    observations.tenant_id,
    observations.subscription_id,
    entities.name as subscription_name,
    observations.subscription_version_id,
    observations.score_name as score,
    observations.display_name,
    observations."current",
    observations."max",
    internal.round_percentage(observations."current" / nullif(observations."max", 0)) as fraction,
    observations.weight,
    observations.compliance_status as status,
    observations.run_id
from ocsf.observations as observations
left join internal.subscription_versions as entities using (subscription_version_id)
where observations.event_type = 'secure_scores'
    and observations.activity_id <> 3
-- A finding has one subscription; named here too, so that a filter on it is applied before the days are told apart.
window score_of_day as (partition by observations.finding_id, observations.subscription_id, observations.day);

-- One row: one observation of one secure score control.
create or replace view posture.control_history as
select
    observations.observed_at,
    observations.day,
    observations.fetch_id = max(observations.fetch_id) over control_of_day as is_last_of_day,
    observations.cloud_partition,
    observations.feed,
    observations.tenant_id,
    observations.subscription_id,
    entities.name as subscription_name,
    observations.subscription_version_id,
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
    observations.run_id
from ocsf.observations as observations
left join internal.subscription_versions as entities using (subscription_version_id)
where observations.event_type = 'secure_score_controls'
    and observations.activity_id <> 3
-- A finding has one subscription; named here too, so that a filter on it is applied before the days are told apart.
window control_of_day as (partition by observations.finding_id, observations.subscription_id, observations.day);

comment on view posture.score_history is 'One row: one observation of one secure score; is_last_of_day picks the last of each day (UTC).';
comment on view posture.control_history is 'One row: one observation of one secure score control; is_last_of_day picks the last of each day (UTC).';
