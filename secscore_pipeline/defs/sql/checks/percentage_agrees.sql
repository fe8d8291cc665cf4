-- One row: a finding of the newest run whose percentage is not its current over its max, to four digits.
select finding_uid, percentage, "current", "max"
from internal.observations_at('selected_fetches')
where activity_id <> 3
    and abs(percentage - coalesce("current" / nullif("max", 0), 0)) > 0.0000501;
