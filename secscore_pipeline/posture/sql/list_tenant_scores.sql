-- One row: one tenant with subscriptions in scope: its score on the newest day and seven days before (percentage; null where there was none).
with daily_scores as (
    select tenant_id, day, percentage, subscriptions
    from posture.tenant_score
    where lower(score) = 'ascscore'
        and tenant_id in (select scope.tenant_id from internal.subscription_scope as scope where scope.state = 'in_scope')
),
newest as (
    select tenant_id, max(day) as day
    from daily_scores
    group by tenant_id
)
select
    daily_scores.tenant_id,
    newest.day,
    max_by(daily_scores.percentage, daily_scores.day) as percentage,
    max_by(daily_scores.subscriptions, daily_scores.day) as subscriptions,
    max_by(daily_scores.percentage, daily_scores.day) filter (where daily_scores.day <= newest.day - 7)
        as percentage_before
from daily_scores
join newest using (tenant_id)
group by daily_scores.tenant_id, newest.day
order by daily_scores.tenant_id;
