-- One row: a secure score of the newest run that is not the sum of its controls.
with newest as (
    select is_control, subscription_id, score, "current", "max"
    from selected_observations
    where activity_id <> 3
),
controls as (
    select subscription_id, score, sum("current") as "current", sum("max") as "max"
    from newest
    where is_control
    group by subscription_id, score
)
select
    scores.subscription_id,
    scores.score,
    scores."current",
    controls."current" as controls_current,
    scores."max",
    controls."max" as controls_max
from newest as scores
join controls using (subscription_id, score)
where not scores.is_control
    and (abs(scores."current" - controls."current") > 0.005 or scores."max" <> controls."max");
