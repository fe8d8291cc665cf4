-- One row: one column of the table or view of a name, with its meaning; or one macro of that name. Of several schemas
-- that have the name, the first in the order of posture, ocsf, raw.
with described as (
    select schema_name, table_name, column_index, column_name as "column", data_type as type, comment as meaning
    from duckdb_columns()
    where database_name = current_database()
        and not internal
    union all
    select
        schema_name,
        function_name,
        0,
        function_name || '(' || array_to_string(parameters, ', ') || ')',
        'macro',
        regexp_replace(comment, '^One row: ', 'a row is ')
    from duckdb_functions()
    where function_type = 'table_macro'
        and schema_name = 'posture'
)
select
    "column",
    if(length(type) < 30, type, regexp_extract(type, '^[^(]+') || if(type like '%[]', '[]', '')) as type,
    meaning
from described
where schema_name in ('posture', 'ocsf', 'raw')
    and $name in (lower(table_name), lower(schema_name || '.' || table_name))
qualify dense_rank() over (order by list_position(['posture', 'ocsf', 'raw'], schema_name)) = 1
order by column_index;
