-- One row: the statement that lends a view's column without a comment the one of its first commented namesake.
with columns as (
    select
        held.schema_name,
        held.table_name,
        held.column_name,
        held.comment,
        views.view_name is not null as is_view,
        (views.view_name is not null, held.table_oid, held.column_index) as place
    from duckdb_columns() as held
    left join duckdb_views() as views
        on views.schema_name = held.schema_name
        and views.view_name = held.table_name
    where not held.internal
)
select
    format(
        'comment on column "{}"."{}"."{}" is ''{}''',
        bare.schema_name, bare.table_name, bare.column_name, replace(namesakes.comment, '''', '''''')
    ) as statement
from columns as bare
join (
    select column_name, arg_min(comment, place) as comment
    from columns
    where comment is not null
        and schema_name <> 'meta'
    group by column_name
) as namesakes using (column_name)
where bare.is_view
    and bare.comment is null
order by bare.place;
