-- One row: a subscription that could not be read in the newest snapshot, and why.
select subscription_id, outcome, error
from raw.fetches
where snapshot_id = $snapshot_id
    and event_type = 'secure_scores'
    and outcome not in ('complete', 'no_score');
