-- One row: how many events there are: the observations of complete fetches, but for what cannot be a finding, and closings.
-- As many rows as ocsf.observations has, without making them.
select
    (
        select coalesce(sum(fetches.records), 0)
        from raw.fetches as fetches
        join internal.normalized_fetches as normalized using (run_id, event_type)
        join internal.event_types_with_findings as kinds using (event_type)
        where kinds.is_scored
    ) - (
        select count(*)
        from internal.observations as observations
        join internal.parsed_versions as parsed using (version_id)
        where parsed.rejection is not null
    ) + (
        select count(*)
        from internal.closings as closings
    ) + (
        select count(activity_id)
        from internal.recommendation_events as changes
    ) as findings;
