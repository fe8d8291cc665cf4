-- One row: the newest day (UTC) that the store has a look of; null in an empty store.
select max(cast(observed_at as date)) as day
from raw.fetches;
