-- One row: one table of the store and how many rows it holds.
select 'raw.fetches' as "table", count(*) as "rows" from raw.fetches
union all
select 'raw.secure_scores', count(*) from raw.secure_scores
union all
select 'raw.secure_score_controls', count(*) from raw.secure_score_controls
union all
select 'internal.record_versions', count(*) from internal.record_versions
union all
select 'raw.rejected', count(*) from raw.rejected
union all
select 'raw.assessments', count(*) from raw.assessments
union all
select
    'ocsf.assessment_findings',
    (select count(*) from ocsf.observations as observations)
    + (select count(changes.activity_id) from internal.recommendation_events as changes);
