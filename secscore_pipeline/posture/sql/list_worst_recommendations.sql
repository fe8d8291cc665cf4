-- One row: one recommendation that is unhealthy on resources: the highest severity first, and of one severity that with the
-- most resources.
select
    any_value(recommendation) as recommendation,
    any_value(severity) as severity,
    count(*) as unhealthy_resources,
    max(internal.day_of(observed_at) - internal.day_of(since)) as oldest_days
from internal.current_assessments
where state = 'unhealthy'
group by tenant_id, recommendation_id
order by
    list_position(['Critical', 'High', 'Medium', 'Low'], any_value(severity)) nulls last,
    unhealthy_resources desc,
    any_value(recommendation)
limit $limit;
