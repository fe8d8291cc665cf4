-- One row: how many looks of a snapshot say how a subscription stands.
select count(*) as looks
from raw.fetches
where snapshot_id = $snapshot_id
    and outcome in ('complete', 'no_score');
