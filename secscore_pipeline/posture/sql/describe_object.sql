-- One row: one column of the table or view of a name, with its meaning; or, of a macro of that name, how it is called, one
-- of its arguments, or an example, as its comment has them a line each. Of several schemas that have the name, the first
-- in the order of posture, ocsf, raw.
with macros as (
    select
        schema_name,
        function_name,
        function_name || '(' || array_to_string(parameters, ', ') || ')' as call,
        unnest(string_split(coalesce(comment, ''), chr(10))) as line,
        generate_subscripts(string_split(coalesce(comment, ''), chr(10)), 1) as line_number
    from duckdb_functions()
    where function_type = 'table_macro'
        and schema_name = 'posture'
),
descriptions as (
    select schema_name, table_name, column_index, column_name as "column", data_type as type, comment as meaning
    from duckdb_columns()
    where database_name = current_database()
        and not internal
    union all
    select
        schema_name,
        function_name,
        line_number,
        if(line_number = 1, call, regexp_extract(line, '^(\w+)', 1)),
        if(line_number = 1, 'macro', regexp_extract(line, '^\w+ (\w+): ', 1)),
        if(line_number = 1, regexp_replace(line, '^One row: ', 'a row is '), regexp_replace(line, '^[^:]+: ', ''))
    from macros
)
select
    "column",
    if(length(type) < 30, type, regexp_extract(type, '^[^(]+') || if(type like '%[]', '[]', '')) as type,
    meaning
from descriptions
where schema_name in ('posture', 'ocsf', 'raw', 'internal')
    and $name in (lower(table_name), lower(schema_name || '.' || table_name))
qualify dense_rank() over (order by list_position(['posture', 'ocsf', 'raw', 'internal'], schema_name)) = 1
order by column_index;
