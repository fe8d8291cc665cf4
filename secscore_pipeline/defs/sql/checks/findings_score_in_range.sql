-- One row: a finding of the newest run whose score is not within 0 <= current <= max.
select findings.finding_uid, observations."current", observations."max"
from selected_observations as observations
join internal.findings as findings using (finding_id)
where observations.activity_id <> 3
    and not coalesce(observations."current" >= 0 and observations."current" <= observations."max", true);
