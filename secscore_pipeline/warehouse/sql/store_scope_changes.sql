-- Stores the changes that enter_scope.sql or leave_scope.sql has found. One row: one of them that is reported.
insert into raw.scope_changes by name
select
    internal.last_fetch_id() + 3 * row_number() over (order by subscription_id) - 2 as fetch_id,
    $run_id as run_id,
    feed,
    subscription_id,
    state,
    reason,
    changed_at,
    observed_at,
    $stored_at as stored_at
from changing_subscriptions;

-- What a subscription that left was last seen with is current no more.
update internal.record_spans as spans
set ended_fetch_id = changes.fetch_id + 2
from raw.scope_changes as changes
where changes.run_id = $run_id
    and changes.state = 'left'
    and changes.subscription_id = spans.subscription_id
    and spans.ended_fetch_id is null;

select changing.subscription_id, newest.name, changing.reason
from changing_subscriptions as changing
left join (
    select subscription_id, max_by(record ->> '$.displayName', subscription_version_id) as name
    from raw.subscriptions
    where record is not null
    group by subscription_id
) as newest using (subscription_id)
where changing.is_told
order by coalesce(newest.name, changing.subscription_id), changing.subscription_id;
