-- One row: how many subscriptions a run found to have left the scope.
select count(*)
from raw.scope_changes
where run_id = $run_id
    and state = 'left';
