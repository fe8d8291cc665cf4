-- Whether a database is a store of this program: 1, or 0.
select count(*)
from duckdb_tables()
where database_name = current_database()
    and schema_name = 'meta'
    and table_name = 'migrations';
