-- One row: one subscription in scope that could be read at one fetch and not at the next, which was made after an instant.
with unread_fetches as (
    select subscription_id, event_type
    from raw.fetches
    where observed_at > $since
        and event_type <> 'assessment_metadata' -- which is read of one subscription of a tenant, for all
        and internal.read_result_of(outcome) = 'not_read'
),
comparisons as (
    select
        *,
        lag(outcome) over (partition by subscription_id, event_type order by fetch_id) as outcome_before
    from raw.fetches
    semi join unread_fetches using (subscription_id, event_type)
),
lost_subscriptions as (
    select
        run_id,
        subscription_id,
        min(outcome) as outcome,
        min(error) as error
    from comparisons
    where observed_at > $since
        and internal.read_result_of(outcome_before) <> 'not_read'
        and internal.read_result_of(outcome) = 'not_read'
    group by run_id, subscription_id
)
select
    lost_subscriptions.run_id,
    lost_subscriptions.subscription_id,
    coalesce(entities.name, lost_subscriptions.subscription_id) as subscription,
    lost_subscriptions.outcome,
    lost_subscriptions.error
from lost_subscriptions
join raw.current_scope as scope using (subscription_id)
left join posture.entities as entities using (subscription_id)
where scope.state = 'in_scope'
order by subscription;
