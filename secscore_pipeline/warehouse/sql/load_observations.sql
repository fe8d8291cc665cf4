-- One row: one observation: a record version in a fetch.
insert into internal.observations (fetch_id, page, position, version_id)
select fetch_id, page, position, version_id
from seen_versions
order by fetch_id, page, position;
