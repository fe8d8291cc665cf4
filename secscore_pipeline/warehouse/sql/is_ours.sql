-- Whether a file is a store of this program: 1, or 0.
select count(*)
from duckdb_tables()
where schema_name = 'meta' and table_name = 'migrations'
