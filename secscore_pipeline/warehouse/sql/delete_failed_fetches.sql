-- Deletes a try at an event type that could read nothing: the next try of the same run takes its place. What another
-- run of the sync may have noted of it goes too, so that the next try is normalized. A failed fetch has no records.
delete from internal.normalized_fetches
where run_id = $run_id
    and event_type = $event_type;

delete from raw.fetches
where run_id = $run_id
    and event_type = $event_type;
