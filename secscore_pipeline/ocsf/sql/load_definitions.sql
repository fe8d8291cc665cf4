-- One row: one control definition that was not met before.
create or replace temp macro json_text(field) as
    case when json_type(field) = 'VARCHAR' then field ->> '$' end;

create or replace temp macro json_number(field) as
    case
        when json_type(field) in ('UBIGINT', 'BIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE')
            and internal.is_plausible(try_cast(field as double))
        then try_cast(field as double)
    end;

insert into internal.control_definitions (definition_id, definition_key, definition)
with new_definitions as (
    select definition_key, min(version_id) as version_id
    from new_versions
    where rejection is null
        and definition_key is not null
    group by definition_key
),
parsed_records as (
    select
        new_definitions.definition_key,
        new_definitions.version_id,
        from_json(
            versions.record -> '$.properties.definition',
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
    from new_definitions
    anti join internal.control_definitions as known using (definition_key)
    join internal.record_versions as versions
        on versions.version_id = new_definitions.version_id
        and versions.event_type = 'secure_score_controls'
)
select
    (select coalesce(max(known.definition_id), 0) from internal.control_definitions as known)
        + row_number() over (order by version_id),
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
from parsed_records;
