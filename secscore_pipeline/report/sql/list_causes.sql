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
        sum(changes.fraction * weights.weight) as won,
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
    won > 0 as is_upwards,
    max_by(control, abs(won)) as control,
    max_by(resources_fixed, abs(won)) as resources_fixed
from moves
where won <> 0
group by tenant_id, day, is_upwards;
