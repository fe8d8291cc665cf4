-- One row: one secure score control with points still to win in the newest normalized snapshot, most points first.
with newest as (
    select metadata.correlation_uid as snapshot_id
    from ocsf.assessment_findings
    where metadata.event_code = 'secureScoreControls'
    order by time desc
    limit 1
)
select
    any_value(finding_info.title) as control,
    sum(unmapped.secure_score."max" - unmapped.secure_score."current") as points_to_win,
    sum(unmapped.secure_score.unhealthy_resource_count) as unhealthy_resources,
    count(*) as subscriptions
from ocsf.assessment_findings
where metadata.event_code = 'secureScoreControls'
    and metadata.correlation_uid = (select newest.snapshot_id from newest)
    and lower(unmapped.secure_score.name) = 'ascscore'
    and unmapped.secure_score."max" > unmapped.secure_score."current"
group by split_part(finding_info.uid, '/', -1)
order by points_to_win desc, control
limit $limit;
