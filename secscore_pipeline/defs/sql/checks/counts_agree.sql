-- One row: a control of the newest run whose count of unhealthy resources differs from that of its recommendations by more
-- than the resources that changed within a day: Azure evaluates resources each 12 to 24 hours, and controls each 8.
with selected_subscriptions as (
    select subscription_id
    from selected_fetches
    where event_type = 'assessments'
        and outcome = 'complete'
),
members as (
    select
        assessments.subscription_id,
        members.control_id,
        assessments.resource_key,
        bool_or(assessments.state = 'unhealthy') as is_unhealthy,
        max(assessments.since) > max(assessments.observed_at) - interval 1 day as is_recent
    from internal.current_assessments as assessments
    semi join selected_subscriptions using (subscription_id)
    join internal.current_control_recommendations as members using (subscription_id, recommendation_id)
    where not assessments.is_preview
        and assessments.state in ('healthy', 'unhealthy')
    group by assessments.subscription_id, members.control_id, assessments.resource_key
),
counts as (
    select
        subscription_id,
        control_id,
        count(*) filter (where is_unhealthy) as unhealthy,
        count(*) filter (where is_recent) as changed_within_a_day
    from members
    group by subscription_id, control_id
)
select
    controls.subscription_name,
    controls.control,
    controls.unhealthy as of_the_control,
    coalesce(counts.unhealthy, 0) as of_its_recommendations,
    coalesce(counts.changed_within_a_day, 0) as changed_within_a_day
from posture.current_controls as controls
semi join selected_subscriptions using (subscription_id)
left join counts using (subscription_id, control_id)
where controls.score = 'ascScore'
    and controls.unhealthy is not null
    and abs(controls.unhealthy - coalesce(counts.unhealthy, 0)) > coalesce(counts.changed_within_a_day, 0);
