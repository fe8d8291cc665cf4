-- One row: one word that a question about the store may hold: a table, a view or a column.
with columns as (
    select schema_name, table_name, column_name
    from duckdb_columns()
    where database_name = current_database()
        and schema_name in ('raw', 'ocsf', 'posture')
)
select schema_name || '.' || table_name as word
from columns
union
select column_name
from columns
order by word;
