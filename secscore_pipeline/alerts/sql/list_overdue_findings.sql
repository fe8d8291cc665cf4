-- One row: one resource that is unhealthy in a recommendation of a high severity for more than some days, the longest
-- first. The key stays for as long as it is so: one that was fixed and broke again has another.
select
    concat_ws(
        '/', 'finding_overdue', subscription_id, recommendation_id, lower(resource_id),
        epoch_ms(since)
    ) as key,
    recommendation_id,
    recommendation,
    severity,
    days,
    coalesce(resource_name, resource_id) as resource,
    coalesce(subscription_name, subscription_id) as subscription
from posture.unhealthy_resources
where severity in ('High', 'Critical')
    and days > $days
order by severity = 'Critical' desc, days desc, recommendation, subscription, resource;
