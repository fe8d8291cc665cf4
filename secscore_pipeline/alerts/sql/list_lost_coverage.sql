-- One row: one subscription in scope that could be read at one fetch and not at the next, which was made after an instant.
with unread as (
    select subscription_id, event_type
    from raw.fetches
    where observed_at > $since and internal.read_result_of(outcome) = 'not_read'
),
compared as (
    select
        *,
        lag(outcome) over (partition by subscription_id, event_type order by fetch_id) as outcome_before
    from raw.fetches
    semi join unread using (subscription_id, event_type)
),
lost as (
    select
        run_id,
        subscription_id,
        min(outcome) as outcome,
        min(error) as error
    from compared
    where observed_at > $since
        and internal.read_result_of(outcome_before) <> 'not_read'
        and internal.read_result_of(outcome) = 'not_read'
    group by run_id, subscription_id
)
select
    lost.run_id,
    lost.subscription_id,
    coalesce(entities.name, lost.subscription_id) as subscription,
    lost.outcome,
    lost.error
from lost
join raw.current_scope as scope using (subscription_id)
left join posture.entities as entities using (subscription_id)
where scope.state = 'in_scope'
order by subscription;
