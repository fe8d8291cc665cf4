-- One row: one control with a potential increase in a tenant, most points first: how many, what that is worth to the tenant's
-- score (fraction, by Microsoft's weights), and the effort.
with weights as (
    select tenant_id, subscription_id, weight, sum(weight) over (partition by tenant_id) as tenant_weight
    from posture.current_scores
    where lower(score) = 'ascscore'
        and fraction is not null
)
select
    opportunities.tenant_id,
    any_value(opportunities.control) as control,
    sum(opportunities.points_to_win) as points_to_win,
    sum(opportunities.fraction_to_win * weights.weight / weights.tenant_weight) as fraction_to_win,
    sum(opportunities.unhealthy_resources) as unhealthy_resources,
    count(*) as subscriptions
from posture.opportunities as opportunities
left join weights using (subscription_id)
where lower(opportunities.score) = 'ascscore'
group by opportunities.tenant_id, opportunities.control_id
order by points_to_win desc, control;
