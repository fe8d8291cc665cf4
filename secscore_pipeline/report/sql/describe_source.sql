-- One row: where the data comes from, and from when to when it was observed.
select
    list(distinct cloud_partition order by cloud_partition) as clouds,
    list(distinct feed order by feed) as feeds,
    count(distinct run_id) as runs,
    count(*) as fetches,
    min(observed_at) as first_fetch_at,
    max(observed_at) as newest_fetch_at,
    max_by(run_id, fetch_id) as newest_run_id
from raw.fetches;
