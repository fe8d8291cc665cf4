-- One row: a secure score of the newest snapshot that is not the sum of its controls.
with newest as (
    select
        metadata.event_code as event_code,
        cloud.account.uid as subscription_id,
        lower(unmapped.secure_score.name) as score,
        unmapped.secure_score."current" as "current",
        unmapped.secure_score."max" as "max"
    from ocsf.assessment_findings
    where metadata.correlation_uid = $snapshot_id
),
controls as (
    select subscription_id, score, sum("current") as "current", sum("max") as "max"
    from newest
    where event_code = 'secureScoreControls'
    group by subscription_id, score
)
select
    scores.subscription_id,
    scores.score,
    scores."current",
    controls."current" as controls_current,
    scores."max",
    controls."max" as controls_max
from newest as scores
join controls using (subscription_id, score)
where scores.event_code = 'secureScores'
    and (abs(scores."current" - controls."current") > 0.005 or scores."max" <> controls."max");
