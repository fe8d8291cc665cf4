-- One row: how many observations of findings the store holds, and since when.
select
    count(*) as finding_looks,
    (select min(observed_at) from raw.fetches) as oldest,
    (select max(observed_at) from raw.fetches) as newest
from internal.observations;
