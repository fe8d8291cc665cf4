-- One row: one tenant whose assessments are read: how many resources are unhealthy in recommendations of each severity now,
-- and how long the oldest of high or critical severity has been so, in days.
select
    tenant_id,
    cast(coalesce(sum(unhealthy_resources) filter (where severity = 'Critical'), 0) as bigint) as open_critical,
    cast(coalesce(sum(unhealthy_resources) filter (where severity = 'High'), 0) as bigint) as open_high,
    cast(coalesce(sum(unhealthy_resources) filter (where severity = 'Medium'), 0) as bigint) as open_medium,
    cast(coalesce(sum(unhealthy_resources) filter (where severity = 'Low'), 0) as bigint) as open_low,
    cast(coalesce(sum(unhealthy_resources) filter (where severity is null), 0) as bigint) as open_unknown,
    max(oldest_days) filter (where severity in ('High', 'Critical')) as oldest_days
from posture.recommendations
group by tenant_id
order by tenant_id;
