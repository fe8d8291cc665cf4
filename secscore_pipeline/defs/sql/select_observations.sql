-- One row: one observation of a score or control of a run, for all checks of its findings: with the numbers of findings in
-- place of their long ids.
create or replace temp table selected_observations as
select
    finding_id,
    hash(finding_uid) as uid_hash,
    event_type,
    subscription_id,
    is_control,
    lower(score_name) as score,
    time,
    activity_id,
    "current",
    "max",
    percentage
from internal.observations_at('selected_fetches');
