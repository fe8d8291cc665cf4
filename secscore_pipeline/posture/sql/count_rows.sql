-- One row: one table of the store and how many rows it holds. What a view would join to make its rows is counted without.
with counted_records as (
    select
        count(*) filter (where fetches.event_type = 'secure_scores') as scores,
        count(*) filter (where fetches.event_type = 'secure_score_controls') as controls
    from internal.observations as observations
    join raw.fetches as fetches using (fetch_id)
)
select 'raw.fetches' as "table", count(*) as "rows" from raw.fetches
union all
select 'raw.secure_scores', scores from counted_records
union all
select 'raw.secure_score_controls', controls from counted_records
union all
select 'internal.record_versions', count(*) from internal.record_versions
union all
select 'raw.rejected', count(*) from raw.rejected
union all
select 'raw.assessments', count(*) from raw.assessments
union all
select 'ocsf.assessment_findings', cast(internal.count_findings() as bigint);
