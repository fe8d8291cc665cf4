-- One row: one subscription that a run found, after an instant, to have left the scope, and that is not back.
select
    changes.run_id,
    changes.subscription_id,
    coalesce(entities.name, changes.subscription_id) as subscription,
    changes.reason
from raw.scope_changes as changes
join raw.current_scope as scope using (subscription_id, fetch_id)
left join posture.entities as entities using (subscription_id)
where changes.state = 'left'
    and changes.observed_at > $since
    and changes.run_id <> 'migration'
order by subscription;
