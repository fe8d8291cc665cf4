-- One row: a look of the newest snapshot that the clock dates before the snapshot that was stored before it.
select subscription_id, finished_at as clock_said, observed_at as counts_as
from looked
where event_type = $event_type
    and observed_at > finished_at;
