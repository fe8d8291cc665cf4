-- One row: the weighted score of a tenant with subscriptions in scope on a day (UTC), oldest first.
select
    tenant_id,
    cloud_partition,
    day,
    percentage,
    points,
    points_max,
    subscriptions
from posture.tenant_score
where lower(score) = 'ascscore'
    and tenant_id in (select scope.tenant_id from internal.subscription_scope as scope where scope.state = 'in_scope')
order by tenant_id, cloud_partition, day;
