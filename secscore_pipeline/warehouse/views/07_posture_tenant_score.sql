-- What Microsoft rolls scores up by: the sum of fraction x weight over the sum of weights.
create or replace macro posture.weighted(fraction, weight) as
    sum(fraction * weight) / nullif(sum(weight), 0);

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
    fraction,
    weight
from posture.score_history
anti join internal.departures as departures
    on departures.subscription_id = score_history.subscription_id
    and departures.event_type = 'secure_scores'
    and internal.day_of(departures.observed_at) = score_history.day
    and departures.observed_at > score_history.observed_at
where is_last_of_day
    and fraction is not null
    and weight is not null;

-- One row: the score of a tenant on a day, from the last observation of each subscription that day.
create or replace view posture.tenant_score as
select
    day,
    cloud_partition,
    tenant_id,
    score,
    internal.round_percentage(posture.weighted("current" / "max", weight)) as fraction,
    internal.round_points(sum("current")) as points,
    internal.round_points(sum("max")) as points_max,
    sum(weight) as weight,
    count(*) as subscriptions
from posture.daily_score
group by day, cloud_partition, tenant_id, score;

comment on view posture.daily_score is 'One row: one score of one subscription, as it last was on a day (UTC); those without a score or with maximum 0, or that left the scope that day, are left out.';
comment on view posture.tenant_score is 'One row: the weighted score of a tenant on a day (UTC), over the subscriptions that had one that day.';
