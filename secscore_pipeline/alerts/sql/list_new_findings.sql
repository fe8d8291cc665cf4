-- One row: one recommendation of a high severity that a run, after an instant, found newly unhealthy on resources: how many,
-- and the first of them. What came with the first assessments of a subscription is not new: they were never read before,
-- or not since it left the scope.
with earlier_fetches as (
    select
        fetch_id,
        lag(outcome) over (partition by subscription_id order by fetch_id) as outcome_before
    from internal.fetches_and_departures
    where event_type = 'assessments'
        and outcome in ('complete', 'left')
),
new_findings as (
    select
        changes.run_id,
        changes.recommendation_id,
        changes.recommendation,
        changes.severity,
        coalesce(changes.resource_name, changes.resource_id) as resource,
        coalesce(changes.subscription_name, changes.subscription_id) as subscription
    from posture.recommendation_changes as changes
    join earlier_fetches using (fetch_id)
    join raw.current_scope as scope using (subscription_id)
    where changes.observed_at > $since
        and changes.severity in ('High', 'Critical')
        and (changes.change = 'broke' or (changes.change = 'came' and changes.state = 'unhealthy'))
        and earlier_fetches.outcome_before = 'complete'
        and scope.state = 'in_scope'
)
select
    run_id,
    recommendation_id,
    recommendation,
    severity,
    count(*) as resources,
    list({'resource': resource, 'subscription': subscription} order by subscription, resource)[1:$named] as first_resources
from new_findings
group by run_id, recommendation_id, recommendation, severity
order by run_id, severity = 'Critical' desc, resources desc, recommendation;
