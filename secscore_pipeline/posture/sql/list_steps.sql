-- One row: one of the first steps of a tenant: a recommendation, and what its fix on every resource, and nothing else,
-- adds to the tenant's score (percentage points, by Microsoft's weights). The largest gain for the effort comes first: an
-- effort of Low counts 1, Moderate 2, High 3, and one that Azure does not say as Moderate. Previews and recommendations
-- outside a control never count: posture.last_unhealthy has none of them.
with weights as (
    select
        subscription_id,
        "max" as points_max,
        weight / nullif(sum(weight) over (partition by tenant_id), 0) as share
    from posture.current_scores
    where lower(score) = 'ascscore'
        and percentage is not null
),
gaining_resources as (
    select
        last_unhealthy.tenant_id,
        last_unhealthy.subscription_id,
        last_unhealthy.recommendation_id,
        last_unhealthy.resource_id,
        any_value(coalesce(last_unhealthy.subscription_name, last_unhealthy.subscription_id)) as subscription,
        any_value(last_unhealthy.owner) as owner,
        any_value(last_unhealthy.recommendation) as recommendation,
        any_value(last_unhealthy.severity) as severity,
        any_value(last_unhealthy.effort) as effort,
        any_value(last_unhealthy.user_impact) as user_impact,
        max_by(last_unhealthy.control, last_unhealthy.potential_increase) as control,
        100 * sum(last_unhealthy.potential_increase / weights.points_max * weights.share) as gain
    from posture.last_unhealthy as last_unhealthy
    join weights using (subscription_id)
    where last_unhealthy.potential_increase > 0
    group by
        last_unhealthy.tenant_id,
        last_unhealthy.subscription_id,
        last_unhealthy.recommendation_id,
        last_unhealthy.resource_id
),
gaining_subscriptions as (
    select
        tenant_id,
        recommendation_id,
        any_value(recommendation) as recommendation,
        any_value(severity) as severity,
        any_value(effort) as effort,
        any_value(user_impact) as user_impact,
        max_by(control, gain) as control,
        any_value(subscription) as subscription,
        any_value(owner) as owner,
        count(*) as resources,
        sum(gain) as gain
    from gaining_resources
    group by tenant_id, recommendation_id, subscription_id
),
steps as (
    select
        tenant_id,
        recommendation_id,
        any_value(recommendation) as recommendation,
        any_value(severity) as severity,
        any_value(effort) as effort,
        any_value(user_impact) as user_impact,
        max_by(control, gain) as control,
        sum(resources) as gaining_resources,
        sum(gain) as gain,
        list(
            {'name': subscription, 'owner': owner, 'resources': resources} order by gain desc, subscription
        ) as subscriptions,
        row_number() over (
            partition by tenant_id
            order by
                sum(gain) / case any_value(effort) when 'Low' then 1 when 'High' then 3 else 2 end desc,
                sum(gain) desc,
                recommendation_id
        ) as rank
    from gaining_subscriptions
    group by tenant_id, recommendation_id
    qualify rank <= $steps
),
listed_resources as (
    select
        unhealthy.tenant_id,
        unhealthy.recommendation_id,
        any_value(unhealthy.remediation) as remediation,
        count(*) as unhealthy_resources,
        list(
            {
                'name': coalesce(unhealthy.resource_name, unhealthy.resource_id),
                'type': unhealthy.resource_type,
                'resource_group': unhealthy.resource_group,
                'subscription': coalesce(unhealthy.subscription_name, unhealthy.subscription_id),
                'owner': unhealthy.owner,
                'since': unhealthy.since,
                'gain': coalesce(gaining.gain, 0),
                'portal_url': unhealthy.portal_url
            }
            order by gaining.gain desc nulls last, unhealthy.subscription_name, unhealthy.resource_name,
                unhealthy.resource_id
        )[1:$resources] as resources
    from posture.unhealthy_resources as unhealthy
    semi join steps using (tenant_id, recommendation_id)
    left join gaining_resources as gaining
        on gaining.subscription_id = unhealthy.subscription_id
        and gaining.recommendation_id = unhealthy.recommendation_id
        and gaining.resource_id is not distinct from unhealthy.resource_id
    where unhealthy.is_scored
    group by unhealthy.tenant_id, unhealthy.recommendation_id
)
select
    steps.tenant_id,
    steps.rank,
    steps.recommendation_id,
    steps.recommendation,
    steps.control,
    steps.gain,
    steps.effort,
    steps.user_impact,
    steps.severity,
    cast(steps.gaining_resources as bigint) as gaining_resources,
    listed.unhealthy_resources,
    steps.subscriptions,
    listed.resources,
    listed.remediation
from steps
join listed_resources as listed using (tenant_id, recommendation_id)
order by steps.tenant_id, steps.rank;
