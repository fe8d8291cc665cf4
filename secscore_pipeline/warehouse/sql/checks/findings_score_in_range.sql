-- One row: a finding of the newest snapshot whose score is not within 0 <= current <= max.
select
    finding_info.uid as uid,
    unmapped.secure_score."current" as "current",
    unmapped.secure_score."max" as "max"
from ocsf.assessment_findings
where metadata.correlation_uid = $snapshot_id
    and not coalesce(
        unmapped.secure_score."current" >= 0
        and unmapped.secure_score."current" <= unmapped.secure_score."max",
        true
    );
