-- One row: one secure score of the newest normalized snapshot, worst first; a score that is none comes last.
create or replace temp table looked as
select *
from raw.fetches
where event_type = 'secure_scores'
    and snapshot_id = ocsf.newest_snapshot('secure_scores');

select
    subscription_id,
    score_name as score,
    "current",
    "max",
    "current" / nullif("max", 0) as fraction,
    weight,
    compliance_status as status,
    observed_at
from ocsf.observations_at('looked')
where activity_id <> 3
order by fraction nulls last, subscription_id, score;
