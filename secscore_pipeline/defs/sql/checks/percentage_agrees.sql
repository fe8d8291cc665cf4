-- One row: a finding of the newest run whose percentage is not its current over its max, to four digits.
select findings.finding_uid, observations.percentage, observations."current", observations."max"
from selected_observations as observations
join internal.findings as findings using (finding_id)
where observations.activity_id <> 3
    and abs(
        observations.percentage - coalesce(observations."current" / nullif(observations."max", 0), 0)
    ) > 0.0000501;
