-- One row: one table of the store and how many rows it holds. What a view would join to make its rows is counted without.
with observed_records as (
    select fetches.event_type, count(*) as records
    from internal.observations as observations
    join raw.fetches as fetches using (fetch_id)
    group by fetches.event_type
),
counted_records as (
    select
        coalesce(sum(records) filter (where event_type = 'secure_scores'), 0) as scores,
        coalesce(sum(records) filter (where event_type = 'secure_score_controls'), 0) as controls
    from observed_records
)
select 'raw.fetches' as "table", count(*) as "rows" from raw.fetches
union all
select 'raw.secure_scores', cast(scores as bigint) from counted_records
union all
select 'raw.secure_score_controls', cast(controls as bigint) from counted_records
union all
select 'internal.record_versions', count(*) from internal.record_versions
union all
select 'raw.rejected', count(*) from raw.rejected
union all
select 'raw.assessments', count(*) from raw.assessments
union all
select 'ocsf.assessment_findings', cast(internal.count_findings() as bigint);
