-- The scores as they stand and as they stood. A percentage is 0..1; it is null where nothing is scored (maximum 0) or no
-- score was given, and never 0 in their place. What is computed is rounded as Azure rounds: a percentage to four digits,
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
    internal.percentage_of(observations."current", observations."max") as percentage,
    internal.percent_of(observations."current", observations."max") as percent,
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
    internal.percentage_of(observations."current", observations."max") as percentage,
    internal.percent_of(observations."current", observations."max") as percent,
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
comment on column posture.score_history.observed_at is 'When it was observed, UTC.';
comment on column posture.score_history.day is 'The day (UTC) of observed_at.';
comment on column posture.score_history.is_last_of_day is 'Whether it is the finding''s last observation of that day.';
comment on column posture.score_history.cloud_partition is
    'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column posture.score_history.feed is 'The feed that read it.';
comment on column posture.score_history.tenant_id is
    'The Entra tenant that the subscription belonged to then: a GUID, lower case.';
comment on column posture.score_history.subscription_id is 'The subscription, lower case.';
comment on column posture.score_history.subscription_name is
    'The subscription''s name at that time; null where it was not known.';
comment on column posture.score_history.subscription_version_id is
    'How the subscription was listed last before, as in internal.subscription_versions; null when it never was.';
comment on column posture.score_history.score is
    'The name of the score: ascScore, which totals count, or another beside it.';
comment on column posture.score_history.display_name is 'The score''s display name: that of the initiative.';
comment on column posture.score_history.current is 'Points reached.';
comment on column posture.score_history.max is 'Points that can be reached; 0 where nothing is scored.';
comment on column posture.score_history.percentage is
    'current / max, 0..1, rounded to four digits; null where nothing is scored or no score was given.';
comment on column posture.score_history.percent is 'percentage for people: 0..100.';
comment on column posture.score_history.weight is 'Microsoft''s weight for rolling scores up.';
comment on column posture.score_history.status is 'Pass (100 %), Fail (less), Warning, Not applicable or Not scored.';
comment on column posture.score_history.run_id is 'The Dagster run that read it.';
comment on view posture.control_history is 'One row: one observation of one secure score control; is_last_of_day picks the last of each day (UTC).';
comment on column posture.control_history.observed_at is 'When it was observed, UTC.';
comment on column posture.control_history.day is 'The day (UTC) of observed_at.';
comment on column posture.control_history.is_last_of_day is
    'Whether it is the finding''s last observation of that day.';
comment on column posture.control_history.cloud_partition is
    'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column posture.control_history.feed is 'The feed that read it.';
comment on column posture.control_history.tenant_id is
    'The Entra tenant that the subscription belonged to then: a GUID, lower case.';
comment on column posture.control_history.subscription_id is 'The subscription, lower case.';
comment on column posture.control_history.subscription_name is
    'The subscription''s name at that time; null where it was not known.';
comment on column posture.control_history.subscription_version_id is
    'How the subscription was listed last before, as in internal.subscription_versions; null when it never was.';
comment on column posture.control_history.score is
    'The name of the score: ascScore, which totals count, or another beside it.';
comment on column posture.control_history.control_id is 'The control''s name: the GUID of its definition.';
comment on column posture.control_history.control is 'The control''s display name.';
comment on column posture.control_history.current is 'Points reached.';
comment on column posture.control_history.max is 'Points that can be reached; 0 where nothing is scored.';
comment on column posture.control_history.percentage is
    'current / max, 0..1, rounded to four digits; null where nothing is scored or no score was given.';
comment on column posture.control_history.percent is 'percentage for people: 0..100.';
comment on column posture.control_history.weight is 'Microsoft''s weight for rolling scores up.';
comment on column posture.control_history.healthy is 'Healthy resources.';
comment on column posture.control_history.unhealthy is 'Unhealthy resources.';
comment on column posture.control_history.not_applicable is 'Resources that do not count.';
comment on column posture.control_history.status is 'Pass (100 %), Fail (less), Warning, Not applicable or Not scored.';
comment on column posture.control_history.severity_id is 'OCSF severity_id: 0 Unknown to 4 High.';
comment on column posture.control_history.run_id is 'The Dagster run that read it.';
