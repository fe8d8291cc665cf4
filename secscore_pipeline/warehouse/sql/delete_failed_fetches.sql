-- Lets go of a try at an event type that could read nothing: the next try of the same run takes its place. What another
-- run of the round may have noted of it goes too, so that the next try is normalized. A failed look has no records.
delete from ocsf.normalized_snapshots
where snapshot_id = $snapshot_id
    and event_type = $event_type;

delete from raw.fetches
where snapshot_id = $snapshot_id
    and event_type = $event_type;
