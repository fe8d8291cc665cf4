-- One row: one cause for which subscriptions could not be read in the newest sync of their feeds, and which they are.
select
    outcome,
    http_status,
    error_code,
    failure,
    list(coalesce(subscription_name, subscription_id) order by subscription_name, subscription_id) as subscriptions,
    min_by(error, coalesce(subscription_name, subscription_id)) as error
from posture.read_results
where result = 'not_read'
    and ($sync_id is null or sync_id = $sync_id)
group by outcome, http_status, error_code, failure
order by len(subscriptions) desc, outcome, error_code;
