-- Whether a file is being moved into this database, or that was cut short: 1, or 0.
select count(*)
from duckdb_tables()
where database_name = current_database()
    and schema_name = 'meta'
    and table_name = 'moving';
