-- One row: a finding of the newest snapshot whose percentage is not its current over its max, to four digits.
select finding_uid, percentage, "current", "max"
from ocsf.observations_at('looked')
where activity_id <> 3
    and abs(percentage - coalesce("current" / nullif("max", 0), 0)) > 0.0000501;
