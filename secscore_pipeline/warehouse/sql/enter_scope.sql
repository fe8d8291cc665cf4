-- One row: one subscription that a run has read, and that was not in the scope of its feed: now it is.
create or replace temp table changing_subscriptions as
select
    fetches.subscription_id,
    fetches.feed,
    'in_scope' as state,
    cast(null as varchar) as reason,
    fetches.finished_at as changed_at,
    fetches.observed_at,
    coalesce(scope.state = 'left', false) as is_told
from raw.fetches as fetches
left join raw.current_scope as scope using (subscription_id)
where fetches.run_id = $run_id
    and fetches.event_type = $event_type
    and (scope.state is distinct from 'in_scope' or scope.feed <> fetches.feed);
