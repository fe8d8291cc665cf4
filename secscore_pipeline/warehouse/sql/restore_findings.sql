-- One row: one finding as the baseline of retention; a rebuild goes on from there. Version 0 stands for those that were
-- deleted.
insert into internal.findings
    (finding_id, finding_uid, event_type, subscription_id, first_seen_time, modified_time, newest_version_id, numbers)
select
    row_number() over (order by finding_uid), finding_uid, event_type, subscription_id, first_seen_time, modified_time,
    0, numbers
from internal.baselines;
