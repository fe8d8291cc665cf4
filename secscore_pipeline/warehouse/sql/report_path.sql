-- One row: the weighted score of a tenant on a day (UTC), oldest first.
select
    tenant_id,
    cloud_partition,
    day,
    fraction,
    points,
    points_max,
    subscriptions
from posture.tenant_score
where lower(score) = 'ascscore'
order by tenant_id, cloud_partition, day;
