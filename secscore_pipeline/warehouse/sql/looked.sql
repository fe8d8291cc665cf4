-- One row: one look of a run. What is asked of a run starts from this table, so that nothing else is read.
create or replace temp table looked as
select *
from raw.fetches
where snapshot_id = $snapshot_id;
