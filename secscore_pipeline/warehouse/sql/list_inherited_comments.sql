-- One row: the statement that gives a column of a view the comment of the same column of what the view selects from, where
-- the view passes all columns on unchanged.
with sources(schema_name, table_name, source_schema, source_table) as (
    values
        ('raw', 'secure_scores', 'raw', 'records'),
        ('raw', 'secure_score_controls', 'raw', 'records'),
        ('raw', 'assessment_metadata', 'raw', 'assessments'),
        ('internal', 'current_fetches', 'raw', 'fetches'),
        ('internal', 'fetches_and_departures', 'raw', 'fetches'),
        ('internal', 'recommendations', 'internal', 'parsed_metadata'),
        ('internal', 'recommendation_changes', 'raw', 'fetches'),
        ('internal', 'recommendation_changes', 'internal', 'findings'),
        ('internal', 'recommendation_changes', 'internal', 'parsed_metadata'),
        ('internal', 'recommendation_changes', 'internal', 'parsed_assessments'),
        ('internal', 'recommendation_changes', 'internal', 'recommendation_events'),
        ('ocsf', 'current_observations', 'ocsf', 'observations')
)
select
    format(
        'comment on column "{}"."{}"."{}" is ''{}''',
        sources.schema_name, sources.table_name, columns.column_name, replace(columns.comment, '''', '''''')
    ) as statement
from sources
join duckdb_columns() as columns
    on columns.schema_name = sources.source_schema
    and columns.table_name = sources.source_table
join duckdb_columns() as inheriting_columns
    on inheriting_columns.schema_name = sources.schema_name
    and inheriting_columns.table_name = sources.table_name
    and inheriting_columns.column_name = columns.column_name
where inheriting_columns.comment is null
order by sources.schema_name, sources.table_name, columns.column_index;
