-- One row: one table whose rows are the store's own; the bookkeeping of the schema is made with each file.
select schema_name || '.' || table_name as "table"
from duckdb_tables()
where database_name = current_database()
    and (schema_name in ('raw', 'internal') or (schema_name = 'meta' and table_name = 'retentions'))
order by "table";
