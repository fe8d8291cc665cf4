-- One row: one word that a question about the store may hold: a table, a view, a macro, a column, or a word of SQL.
with columns as (
    select schema_name, table_name, column_name
    from duckdb_columns()
    where database_name = current_database()
        and schema_name in ('raw', 'ocsf', 'posture')
)
select schema_name || '.' || table_name as word, false as is_keyword
from columns
union
select column_name, false
from columns
union
select 'posture.' || function_name, false
from duckdb_functions()
where function_type = 'table_macro'
    and schema_name = 'posture'
union
select keyword_name, true
from duckdb_keywords()
order by is_keyword, word;
