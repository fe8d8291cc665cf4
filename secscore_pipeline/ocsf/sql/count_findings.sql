-- One row: how many events the findings hold: what complete fetches saw, but for what cannot be a finding, and closings.
-- As many rows as ocsf.observations has, without making them.
select
    (
        select coalesce(sum(fetches.records), 0)
        from raw.fetches as fetches
        join internal.normalized_fetches as normalized using (run_id, event_type)
    ) - (
        select count(*)
        from internal.observations as observations
        join internal.parsed_versions as parsed_versions using (version_id)
        where parsed_versions.rejection is not null
    ) + (
        select count(*)
        from internal.closings as closings
    ) as findings;
