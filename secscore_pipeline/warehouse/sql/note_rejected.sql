-- One row: one raw record that cannot become a finding, and why.
insert into raw.rejected (snapshot_id, subscription_id, event_type, page, position, reason)
select snapshot_id, subscription_id, event_type, page, position, rejection
from observations
where rejection is not null;
