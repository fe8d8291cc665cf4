-- One row: the newest day (UTC) that the store has a look of; null in an empty store.
select max(ocsf.day_of(observed_at)) as day
from raw.fetches;
