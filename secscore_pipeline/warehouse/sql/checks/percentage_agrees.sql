-- One row: a finding of the newest snapshot whose percentage is not its current over its max, to four digits.
select
    finding_info.uid as uid,
    unmapped.secure_score.percentage as percentage,
    unmapped.secure_score."current" as "current",
    unmapped.secure_score."max" as "max"
from ocsf.assessment_findings
where metadata.correlation_uid = $snapshot_id
    and abs(
        unmapped.secure_score.percentage
        - coalesce(unmapped.secure_score."current" / nullif(unmapped.secure_score."max", 0), 0)
    ) > 0.0000501;
