-- One row: one tenant with subscriptions in scope: its score on the newest day and seven days before (fraction; null where there was none).
with path as (
    select tenant_id, day, fraction, subscriptions
    from posture.tenant_score
    where lower(score) = 'ascscore'
        and tenant_id in (select scope.tenant_id from internal.subscription_scope as scope where scope.state = 'in_scope')
),
newest as (
    select tenant_id, max(day) as day
    from path
    group by tenant_id
)
select
    path.tenant_id,
    newest.day,
    max_by(path.fraction, path.day) as fraction,
    max_by(path.subscriptions, path.day) as subscriptions,
    max_by(path.fraction, path.day) filter (where path.day <= newest.day - 7) as fraction_before
from path
join newest using (tenant_id)
group by path.tenant_id, newest.day
order by path.tenant_id;
