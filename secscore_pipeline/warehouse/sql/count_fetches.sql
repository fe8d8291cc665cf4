-- One row: how many fetches a store holds, whatever the version of its schema.
select count(*)
from raw.fetches;
