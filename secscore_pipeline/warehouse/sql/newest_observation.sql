-- One row: the first instant that a new snapshot may count as observed at; null in an empty store.
select max(observed_at) + interval 1 millisecond as not_before
from raw.fetches
where event_type = $event_type;
