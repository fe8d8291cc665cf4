-- One row: the numbers of the newest normalized snapshot that are plotted over time. The percentage (0..100) is
-- Microsoft's roll-up over subscriptions: the sum of score x weight over the sum of weights; a subscription
-- without a score or with nothing scored is left out, never counted as 0.
with newest as (
    select metadata.correlation_uid as snapshot_id
    from ocsf.assessment_findings
    order by time desc
    limit 1
),
observed as (
    select
        metadata.event_code as event_code,
        unmapped.secure_score."current" as "current",
        unmapped.secure_score."max" as "max",
        unmapped.secure_score.weight as weight,
        unmapped.secure_score.unhealthy_resource_count as unhealthy
    from ocsf.assessment_findings
    where metadata.correlation_uid = (select newest.snapshot_id from newest)
        and lower(unmapped.secure_score.name) = 'ascscore'
)
select
    round(
        100 * sum("current" / "max" * weight) filter (where event_code = 'secureScores' and "max" > 0)
        / nullif(sum(weight) filter (where event_code = 'secureScores' and "max" > 0 and "current" is not null), 0),
        2
    ) as score_percentage,
    sum("current") filter (where event_code = 'secureScores') as points_current,
    sum("max") filter (where event_code = 'secureScores') as points_max,
    sum(unhealthy) filter (where event_code = 'secureScoreControls') as unhealthy_resources
from observed;
