-- How many tables there are, whosever they are.
select count(*)
from duckdb_tables()
where database_name = current_database();
