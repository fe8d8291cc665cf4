-- One row: one finding as a retention remembers it; a rebuild goes on from there. Body 0 stands for those let go.
insert into ocsf.findings
    (finding_id, finding_uid, event_type, subscription_id, first_seen_time, modified_time, newest_body_id, numbers)
select
    row_number() over (order by finding_uid), finding_uid, event_type, subscription_id, first_seen_time, modified_time,
    0, numbers
from ocsf.baselines;
