-- One row: how many subscriptions a run found to have left the scope.
select count(*)
from raw.scope_changes
where snapshot_id = $snapshot_id
    and state = 'left';
