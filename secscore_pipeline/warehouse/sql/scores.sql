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
    and snapshot_id = (
        select fetches.snapshot_id
        from raw.fetches as fetches
        join ocsf.normalized_snapshots as normalized using (snapshot_id, event_type)
        where fetches.event_type = 'secure_scores'
        order by fetches.look_id desc
        limit 1
    )
order by fraction nulls last, subscription_id, score;
