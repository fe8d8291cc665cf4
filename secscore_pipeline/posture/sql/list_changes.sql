-- One row: one control of a tenant that moved after a day, most points first, and what moved it; control is null for what
-- no control explains.
select
    tenant_id,
    any_value(control) as control,
    sum(points) as points,
    sum(points_by_fixes) as points_by_fixes,
    sum(points_by_resources) as points_by_resources,
    sum(points_by_maximum) as points_by_maximum,
    sum(points_by_controls) as points_by_controls,
    coalesce(sum(resources_fixed) filter (where resources_fixed > 0), 0) as resources_fixed,
    coalesce(-sum(resources_fixed) filter (where resources_fixed < 0), 0) as resources_broken,
    count(distinct subscription_id) as subscriptions
from posture.changes
where day > cast($day as date) - 7
    and score = 'ascScore'
group by tenant_id, control_id
having round(sum(abs(points)), 4) > 0
order by abs(sum(points)) desc, control;
