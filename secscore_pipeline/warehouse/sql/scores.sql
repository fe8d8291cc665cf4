-- One row: one secure score of the newest normalized snapshot, worst first; a score that is none comes last.
with newest as (
    select metadata.correlation_uid as snapshot_id
    from ocsf.assessment_findings
    where metadata.event_code = 'secureScores'
    order by time desc
    limit 1
)
select
    cloud.account.uid as subscription_id,
    unmapped.secure_score.name as score,
    unmapped.secure_score."current" as "current",
    unmapped.secure_score."max" as "max",
    unmapped.secure_score."current" / nullif(unmapped.secure_score."max", 0) as fraction,
    unmapped.secure_score.weight as weight,
    compliance.status as status,
    time_dt as observed_at
from ocsf.assessment_findings
where metadata.event_code = 'secureScores'
    and metadata.correlation_uid = (select newest.snapshot_id from newest)
order by fraction nulls last, subscription_id, score;
