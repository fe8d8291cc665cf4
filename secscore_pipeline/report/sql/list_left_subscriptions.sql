-- One row: one subscription that left the scope: since when, and why; the newest first.
select
    tenant_id,
    subscription_id,
    any_value(subscription_name) as name,
    any_value(reason) as reason,
    max(since) as since
from posture.coverage
where state = 'left'
group by tenant_id, subscription_id
order by since desc, name, subscription_id;
