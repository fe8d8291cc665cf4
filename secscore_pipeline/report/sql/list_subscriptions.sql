-- One row: one subscription that the newest run of its feed read, with its score now and a week before, lowest first;
-- those without a score come last.
with scored_subscriptions as (
    select subscription_id, subscription_name, "current", "max", percentage
    from posture.current_scores
    where lower(score) = 'ascscore'
),
earlier_scores as (
    select subscription_id, max_by(percentage, day) as percentage
    from posture.daily_score
    where lower(score) = 'ascscore'
        and day between cast($day as date) - 37 and cast($day as date) - 7
    group by subscription_id
),
failing_controls as (
    select subscription_id, sum(unhealthy) as unhealthy
    from posture.current_controls
    where lower(score) = 'ascscore'
    group by subscription_id
)
select
    coverage.tenant_id,
    coverage.subscription_id,
    coalesce(entities.name, scored_subscriptions.subscription_name) as name,
    entities.owner,
    entities.management_group_path,
    scored_subscriptions."current",
    scored_subscriptions."max",
    scored_subscriptions.percentage,
    scored_subscriptions.percentage - earlier_scores.percentage as percentage_change,
    failing_controls.unhealthy,
    coverage.last_complete_at,
    coalesce(results.outcome, coverage.last_outcome) as last_outcome,
    coalesce(results.result, internal.read_result_of(coverage.last_outcome)) as result
from posture.coverage as coverage
left join posture.read_results as results using (feed, subscription_id)
left join scored_subscriptions using (subscription_id)
left join earlier_scores using (subscription_id)
left join failing_controls using (subscription_id)
left join posture.entities as entities using (subscription_id)
where coverage.event_type = 'secure_scores'
    and coverage.is_in_scope
order by scored_subscriptions.percentage nulls last, name, coverage.subscription_id;
