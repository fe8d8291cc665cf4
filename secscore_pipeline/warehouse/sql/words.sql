-- One row: one word that a question about the store may hold: a table, a view or a column.
select schema_name || '.' || table_name as word
from duckdb_columns()
where schema_name in ('raw', 'ocsf', 'posture')
union
select column_name
from duckdb_columns()
where schema_name in ('raw', 'ocsf', 'posture')
order by word;
