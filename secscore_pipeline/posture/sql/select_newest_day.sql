-- One row: the newest day (UTC) that the store has a fetch of; null in an empty store.
select max(internal.day_of(observed_at)) as day
from raw.fetches;
