-- One row: a finding of the newest snapshot whose score is not within 0 <= current <= max.
select finding_uid, "current", "max"
from ocsf.observations_at('looked')
where activity_id <> 3
    and not coalesce("current" >= 0 and "current" <= "max", true);
