-- One row: one statement that makes the tables of this database, with their comments, in another one; in order.
with statements as (
    select 1 as step, schema_name as name, format('create schema if not exists "{}"', schema_name) as statement
    from (
        select schema_name from duckdb_tables()
        union
        select schema_name from duckdb_views() where not internal
    )
    union
    select 2, schema_name || '.' || table_name, sql
    from duckdb_tables()
    union
    select
        3,
        schema_name || '.' || table_name,
        format('comment on table "{}"."{}" is ''{}''', schema_name, table_name, replace(comment, '''', ''''''))
    from duckdb_tables()
    where comment is not null
    union
    select
        4,
        columns.schema_name || '.' || columns.table_name || '.' || columns.column_name,
        format(
            'comment on column "{}"."{}"."{}" is ''{}''',
            columns.schema_name, columns.table_name, columns.column_name, replace(columns.comment, '''', '''''')
        )
    from duckdb_columns() as columns
    join duckdb_tables() as tables using (schema_name, table_name)
    where columns.comment is not null
)
select statement
from statements
order by step, name;
