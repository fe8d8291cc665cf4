-- One row: a record id that the newest snapshot holds more than once.
select lower(record_id) as record_id, count(*) as times
from raw.secure_score_controls
where snapshot_id = $snapshot_id
group by lower(record_id)
having count(*) > 1;
