-- One row: one control that passed at one observation and failed at the next, which was made after an instant.
with comparisons as (
    select
        *,
        lag(status) over (partition by subscription_id, control_id, score order by observed_at) as status_before
    from posture.control_history
    where day >= cast($since as date) - 8
)
select
    run_id,
    subscription_id,
    coalesce(subscription_name, subscription_id) as subscription,
    control,
    unhealthy,
    "max" - "current" as points_lost
from comparisons
where observed_at > $since
    and subscription_id in (select scope.subscription_id from raw.current_scope as scope where scope.state = 'in_scope')
    and status_before = 'Pass'
    and status = 'Fail'
order by points_lost desc nulls last, control, subscription;
