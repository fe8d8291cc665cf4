-- One row: one table, view or macro that answers a common question, and what one row of it is.
with relations as (
    select database_name, schema_name, table_name, comment
    from duckdb_tables()
    where not internal
    union all
    select database_name, schema_name, view_name, comment
    from duckdb_views()
    where not internal
    union all
    select database_name, schema_name, function_name || '(' || array_to_string(parameters, ', ') || ')', comment
    from duckdb_functions()
    where function_type = 'table_macro'
        and schema_name = 'posture'
)
select schema_name || '.' || table_name as name, regexp_replace(split_part(comment, chr(10), 1), '^One row: ', '') as "a row is"
from relations
where database_name = current_database()
    and schema_name in ('posture', 'ocsf', 'raw')
order by list_position(['posture', 'ocsf', 'raw'], schema_name), name;
