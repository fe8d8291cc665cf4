-- One row: how many observations of findings the store holds, and since when.
select
    count(*) as observations,
    (select min(observed_at) from raw.fetches) as oldest,
    (select max(observed_at) from raw.fetches) as newest
from internal.observations;
