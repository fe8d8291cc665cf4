-- One row: a raw record of the newest snapshot that cannot become a finding, and why.
select subscription_id, event_type, page, position, reason
from raw.rejected
where snapshot_id = $snapshot_id;
