-- One row: how many complete looks are not normalized yet.
select count(*) as looks
from raw.fetches as fetches
anti join ocsf.normalized_snapshots as done
    on done.snapshot_id = fetches.snapshot_id
    and done.event_type = fetches.event_type
where fetches.outcome = 'complete';
