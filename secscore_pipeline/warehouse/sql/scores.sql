-- One row: one secure score of the newest normalized snapshot, worst first; a score that is none comes last.
create or replace temp table looked as
select *
from raw.fetches
where event_type = 'secure_scores'
    and snapshot_id = ocsf.newest_snapshot('secure_scores');

select
    observations.subscription_id,
    entities.name as subscription_name,
    observations.score_name as score,
    "current",
    "max",
    "current" / nullif("max", 0) as fraction,
    weight,
    compliance_status as status,
    observed_at
from ocsf.observations_at('looked') as observations
left join ocsf.entities as entities using (entity_id)
where activity_id <> 3
order by fraction nulls last, subscription_id, score;
