-- One row: one control definition that was not met before.
create or replace temp macro json_text(field) as
    case when json_type(field) = 'VARCHAR' then field ->> '$' end;

create or replace temp macro json_number(field) as
    case
        when json_type(field) in ('UBIGINT', 'BIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE')
            and ocsf.is_plausible(try_cast(field as double))
        then try_cast(field as double)
    end;

insert into ocsf.definitions (definition_id, definition_key, definition)
with met as (
    select definition_key, min(body_id) as body_id
    from news
    where rejection is null
        and definition_key is not null
    group by definition_key
),
parsed as (
    select
        met.definition_key,
        met.body_id,
        from_json(
            bodies.record -> '$.properties.definition',
            '{
                "name": "JSON",
                "properties": {
                    "displayName": "JSON",
                    "description": "JSON",
                    "maxScore": "JSON",
                    "source": {"sourceType": "JSON"},
                    "assessmentDefinitions": [{"id": "JSON"}]
                }
            }'
        ) as fields
    from met
    anti join ocsf.definitions as known using (definition_key)
    join raw.bodies as bodies using (body_id)
)
select
    (select coalesce(max(known.definition_id), 0) from ocsf.definitions as known) + row_number() over (order by body_id),
    definition_key,
    {
        'name': json_text(fields.name),
        'display_name': json_text(fields.properties.displayName),
        'description': json_text(fields.properties.description),
        'max_score': json_number(fields.properties.maxScore),
        'source_type': json_text(fields.properties.source.sourceType),
        'check_uids': list_filter(
            list_transform(
                fields.properties.assessmentDefinitions,
                lambda definition: nullif(regexp_extract(json_text(definition.id), '([^/]*)/*$', 1), '')
            ),
            lambda uid: uid is not null
        )
    }
from parsed;
