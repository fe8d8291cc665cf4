-- One row: one table whose rows are moved.
select schema_name || '.' || table_name as "table"
from duckdb_tables()
where database_name = 'moved'
    and schema_name in ('raw', 'internal')
order by "table";
