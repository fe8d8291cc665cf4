-- One row: one day (UTC) on which something was fetched, the newest first.
select distinct internal.day_of(observed_at) as day
from raw.fetches
order by day desc;
