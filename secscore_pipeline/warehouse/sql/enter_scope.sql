-- One row: one subscription that a run has read, and that was not in the scope of its feed: now it is.
create or replace temp table entering as
select fetches.subscription_id, fetches.feed, fetches.finished_at, fetches.observed_at, scope.state as state_before
from raw.fetches as fetches
left join raw.current_scope as scope using (subscription_id)
where fetches.snapshot_id = $snapshot_id
    and fetches.event_type = $event_type
    and (scope.state is distinct from 'in_scope' or scope.feed <> fetches.feed);

insert into raw.scope_changes by name
select
    ocsf.last_look_id() + 2 * row_number() over (order by subscription_id) - 1 as look_id,
    $snapshot_id as snapshot_id,
    feed,
    subscription_id,
    'in_scope' as state,
    finished_at as changed_at,
    observed_at,
    $stored_at as stored_at
from entering;

select entering.subscription_id, newest.name, cast(null as varchar) as reason
from entering
left join (
    select subscription_id, max_by(record ->> '$.displayName', entity_id) as name
    from raw.subscriptions
    where record is not null
    group by subscription_id
) as newest using (subscription_id)
where entering.state_before = 'left'
order by coalesce(newest.name, entering.subscription_id), entering.subscription_id;
