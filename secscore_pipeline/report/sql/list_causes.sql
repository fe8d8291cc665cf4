-- One row: the control that moved a tenant's score most on one of some days (UTC), upwards or downwards.
with weights as (
    select subscription_id, weight
    from posture.current_scores
    where lower(score) = 'ascscore'
),
moves as (
    select
        changes.tenant_id,
        changes.day,
        changes.control,
        sum(changes.percentage_change * weights.weight) as percentage_change,
        sum(changes.resources_fixed) as resources_fixed
    from posture.changes as changes
    join weights using (subscription_id)
    where list_contains($days, changes.day)
        and changes.score = 'ascScore'
        and changes.control is not null
    group by changes.tenant_id, changes.day, changes.control
)
select
    tenant_id,
    day,
    percentage_change > 0 as is_upwards,
    max_by(control, abs(percentage_change)) as control,
    max_by(resources_fixed, abs(percentage_change)) as resources_fixed
from moves
where percentage_change <> 0
group by tenant_id, day, is_upwards;
