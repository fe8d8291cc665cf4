-- One row: one event type of one run that is normalized now.
insert into ocsf.normalized_snapshots (snapshot_id, event_type)
select distinct fetches.snapshot_id, fetches.event_type
from raw.fetches as fetches
anti join ocsf.normalized_snapshots as done
    on done.snapshot_id = fetches.snapshot_id
    and done.event_type = fetches.event_type;
