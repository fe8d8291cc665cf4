-- One row: a finding of the newest run whose score is not within 0 <= current <= max.
select finding_uid, "current", "max"
from internal.observations_at('selected_fetches')
where activity_id <> 3
    and not coalesce("current" >= 0 and "current" <= "max", true);
