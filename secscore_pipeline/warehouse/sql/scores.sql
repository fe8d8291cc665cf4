-- One row: one secure score of the newest normalized snapshot, worst first; a score that is none comes last.
select
    subscription_id,
    score_name as score,
    "current",
    "max",
    "current" / nullif("max", 0) as fraction,
    weight,
    compliance_status as status,
    observed_at
from ocsf.observations
where event_type = 'secure_scores'
    and activity_id <> 3
    and snapshot_id = ocsf.newest_snapshot('secure_scores')
order by fraction nulls last, subscription_id, score;
