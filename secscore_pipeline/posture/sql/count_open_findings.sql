-- One row: one tenant whose assessments are read: how many resources are unhealthy in recommendations of each severity now,
-- and how long the oldest of high or critical severity has been so, in days.
select
    tenant_id,
    count(*) filter (where state = 'unhealthy' and severity = 'Critical') as open_critical,
    count(*) filter (where state = 'unhealthy' and severity = 'High') as open_high,
    count(*) filter (where state = 'unhealthy' and severity = 'Medium') as open_medium,
    count(*) filter (where state = 'unhealthy' and severity = 'Low') as open_low,
    count(*) filter (where state = 'unhealthy' and severity is null) as open_unknown,
    -- From day to day: the difference of two moments takes a calendar, and a hundred times as long.
    max(internal.day_of(observed_at) - internal.day_of(since))
        filter (where state = 'unhealthy' and severity in ('High', 'Critical'))
        as oldest_days
from internal.current_assessments
group by tenant_id
order by tenant_id;
