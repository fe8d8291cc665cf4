-- What Microsoft rolls scores up by: the sum of percentage x weight over the sum of weights.
create or replace macro posture.weighted(percentage, weight) as
    sum(percentage * weight) / nullif(sum(weight), 0);

-- One row: one score of one subscription, as it last was on a day. Without a score or with maximum 0: left out; so is one
-- that left the scope later that day.
create or replace view posture.daily_score as
select
    day,
    cloud_partition,
    tenant_id,
    subscription_id,
    subscription_name,
    subscription_version_id,
    score,
    "current",
    "max",
    percentage,
    percent,
    weight
from posture.score_history
anti join internal.departures as departures
    on departures.subscription_id = score_history.subscription_id
    and departures.event_type = 'secure_scores'
    and internal.day_of(departures.observed_at) = score_history.day
    and departures.observed_at > score_history.observed_at
where is_last_of_day
    and percentage is not null
    and weight is not null;

-- One row: the score of a tenant on a day, from the last observation of each subscription that day.
create or replace view posture.tenant_score as
select
    day,
    cloud_partition,
    tenant_id,
    score,
    internal.round_percentage(posture.weighted("current" / "max", weight)) as percentage,
    internal.as_percent(posture.weighted("current" / "max", weight)) as percent,
    internal.round_points(sum("current")) as points,
    internal.round_points(sum("max")) as points_max,
    sum(weight) as weight,
    count(*) as subscriptions
from posture.daily_score
group by day, cloud_partition, tenant_id, score;

comment on view posture.daily_score is 'One row: one score of one subscription, as it last was on a day (UTC); those without a score or with maximum 0, or that left the scope that day, are left out.';
comment on column posture.daily_score.day is 'The day, UTC.';
comment on column posture.daily_score.cloud_partition is
    'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column posture.daily_score.tenant_id is
    'The Entra tenant that the subscription belonged to then: a GUID, lower case.';
comment on column posture.daily_score.subscription_id is 'The subscription, lower case.';
comment on column posture.daily_score.subscription_name is
    'The subscription''s name at that time; null where it was not known.';
comment on column posture.daily_score.subscription_version_id is
    'How the subscription was listed last before, as in internal.subscription_versions; null when it never was.';
comment on column posture.daily_score.score is
    'The name of the score: ascScore, which totals count, or another beside it.';
comment on column posture.daily_score.current is 'Points reached.';
comment on column posture.daily_score.max is 'Points that can be reached; 0 where nothing is scored.';
comment on column posture.daily_score.percentage is
    'current / max, 0..1, rounded to four digits; null where nothing is scored or no score was given.';
comment on column posture.daily_score.percent is 'percentage for people: 0..100.';
comment on column posture.daily_score.weight is 'Microsoft''s weight for rolling scores up.';
comment on view posture.tenant_score is 'One row: the weighted score of a tenant on a day (UTC), over the subscriptions that had one that day.';
comment on column posture.tenant_score.day is 'The day, UTC.';
comment on column posture.tenant_score.cloud_partition is
    'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column posture.tenant_score.tenant_id is 'The Entra tenant: a GUID, lower case.';
comment on column posture.tenant_score.score is
    'The name of the score: ascScore, which totals count, or another beside it.';
comment on column posture.tenant_score.percentage is
    'The average of the subscriptions'' percentages by weight, 0..1, rounded to four digits.';
comment on column posture.tenant_score.percent is 'percentage for people: 0..100.';
comment on column posture.tenant_score.points is 'Points of all subscriptions together.';
comment on column posture.tenant_score.points_max is
    'Points that all subscriptions together can reach; percentage is weighted, so it is not points / points_max.';
comment on column posture.tenant_score.weight is 'Sum of the subscriptions'' weights.';
comment on column posture.tenant_score.subscriptions is 'Subscriptions that had a score that day.';
