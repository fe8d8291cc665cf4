-- One row: one control with a potential increase in a tenant, most points first: how many, what that is worth to the tenant's
-- score (percentage, by Microsoft's weights), and the effort.
with weights as (
    select tenant_id, subscription_id, weight, sum(weight) over (partition by tenant_id) as tenant_weight
    from posture.current_scores
    where lower(score) = 'ascscore'
        and percentage is not null
)
select
    opportunities.tenant_id,
    any_value(opportunities.control) as control,
    sum(opportunities.potential_increase) as potential_increase,
    sum(opportunities.potential_increase_percentage * weights.weight / weights.tenant_weight)
        as potential_increase_percentage,
    sum(opportunities.unhealthy_resources) as unhealthy_resources,
    count(*) as subscriptions
from posture.opportunities as opportunities
left join weights using (subscription_id)
where lower(opportunities.score) = 'ascscore'
group by opportunities.tenant_id, opportunities.control_id
order by potential_increase desc, control;
