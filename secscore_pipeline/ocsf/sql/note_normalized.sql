-- One row: one event type of one run that is normalized now, and how it was rated.
insert into ocsf.normalized_snapshots
    (snapshot_id, event_type, informational_from, low_from, medium_from, extension_version)
select distinct
    fetches.snapshot_id, fetches.event_type, $informational_from, $low_from, $medium_from, $extension_version
from ocsf.fetches_and_departures as fetches
anti join ocsf.normalized_snapshots as normalized
    on normalized.snapshot_id = fetches.snapshot_id
    and normalized.event_type = fetches.event_type;
