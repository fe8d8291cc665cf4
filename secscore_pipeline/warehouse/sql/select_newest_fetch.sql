-- One row: when the newest fetch was observed; null in an empty store.
select max(observed_at) as observed_at
from raw.fetches;
