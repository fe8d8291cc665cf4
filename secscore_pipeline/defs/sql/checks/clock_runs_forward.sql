-- One row: a fetch of the newest run that the clock dates before the run that was stored before it.
select subscription_id, finished_at as clock_said, observed_at as counts_as
from selected_fetches
where event_type = $event_type
    and observed_at > finished_at;
