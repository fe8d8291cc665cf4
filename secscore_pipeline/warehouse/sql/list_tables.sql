-- One row: one table of this database, quoted as SQL has it.
select format('"{}"."{}"', replace(schema_name, '"', '""'), replace(table_name, '"', '""')) as "table"
from duckdb_tables()
where database_name = current_database()
    and not internal
order by "table";
