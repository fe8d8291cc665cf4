-- One row: one score that fell by a threshold (percentage points) or more from one observation to the next, which was made
-- after an instant.
with comparisons as (
    select
        *,
        lag(percentage) over (partition by subscription_id order by observed_at) as percentage_before
    from posture.score_history
    where lower(score) = 'ascscore'
        and percentage is not null
        and day >= cast($since as date) - 8
)
select
    run_id,
    subscription_id,
    coalesce(subscription_name, subscription_id) as subscription,
    percentage_before,
    percentage
from comparisons
where observed_at > $since
    and subscription_id in (select scope.subscription_id from raw.current_scope as scope where scope.state = 'in_scope')
    and round(100 * (percentage_before - percentage), 2) >= $threshold
order by percentage - percentage_before, subscription;
