-- One row: one recommendation that is unhealthy on resources: the highest severity first, and of one severity that with the
-- most resources.
select
    any_value(recommendation) as recommendation,
    any_value(severity) as severity,
    cast(sum(unhealthy_resources) as bigint) as unhealthy_resources,
    max(oldest_days) as oldest_days
from posture.recommendations
where unhealthy_resources > 0
group by tenant_id, recommendation_id
order by
    list_position(['Critical', 'High', 'Medium', 'Low'], any_value(severity)) nulls last,
    sum(unhealthy_resources) desc,
    any_value(recommendation)
limit $limit;
