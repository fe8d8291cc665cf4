-- One row: how many events of findings the runs bring that are not normalized yet.
select
    (
        select count(*)
        from internal.observations as observations
        join internal.parsed_versions as parsed using (version_id)
        where parsed.finding_id is not null
            and observations.fetch_id in (select fetch_pairs.fetch_id from fetch_pairs)
    ) + (
        select count(*)
        from internal.closings as closings
        where closings.fetch_id in (select fetch_pairs.fetch_id from fetch_pairs)
    ) + (
        select count(activity_id)
        from internal.recommendation_events as changes
        where changes.fetch_id in (select fetch_pairs.fetch_id from fetch_pairs)
    ) as events;
