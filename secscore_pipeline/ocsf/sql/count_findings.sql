-- One row: how many events the findings hold: what complete looks saw, but for what cannot be a finding, and closings.
-- As many rows as ocsf.observations has, without making them.
select
    (
        select coalesce(sum(fetches.records), 0)
        from raw.fetches as fetches
        join ocsf.normalized_snapshots as normalized using (snapshot_id, event_type)
    ) - (
        select count(*)
        from raw.sightings as sightings
        join ocsf.states as states using (body_id)
        where states.rejection is not null
    ) + (
        select count(*)
        from ocsf.closings as closings
    ) as findings;
