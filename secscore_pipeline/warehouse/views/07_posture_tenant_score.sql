-- One row: the score of a tenant on a day, as Microsoft rolls subscriptions up: the sum of fraction x weight over the
-- sum of weights, from the last observation of each subscription that day. Without a score or with maximum 0: left out.
create or replace view posture.tenant_score as
select
    day,
    cloud_partition,
    tenant_id,
    score,
    sum(fraction * weight) / nullif(sum(weight), 0) as fraction,
    sum("current") as points,
    sum("max") as points_max,
    sum(weight) as weight,
    count(*) as subscriptions
from posture.score_history
where is_last_of_day
    and fraction is not null
    and weight is not null
group by day, cloud_partition, tenant_id, score;

comment on view posture.tenant_score is 'One row: the weighted score of a tenant on a day (UTC), over the subscriptions that had one that day.';
