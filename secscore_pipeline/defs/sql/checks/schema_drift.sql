-- One row: a field of a record that is new in the newest run, which the API's description does not name, or whose type is
-- another one.
-- Source of the known fields: secureScore.json of API version 2020-01-01; `type` of a score's own object and the
-- definition's description stand in the description though real answers leave them out.
with known(field, type) as (
    values
        ('$', 'OBJECT'),
        ('$.id', 'TEXT'),
        ('$.name', 'TEXT'),
        ('$.type', 'TEXT'),
        ('$.properties', 'OBJECT'),
        ('$.properties.displayName', 'TEXT'),
        ('$.properties.score', 'OBJECT'),
        ('$.properties.score.max', 'NUMBER'),
        ('$.properties.score.current', 'NUMBER'),
        ('$.properties.score.percentage', 'NUMBER'),
        ('$.properties.weight', 'NUMBER'),
        ('$.properties.healthyResourceCount', 'NUMBER'),
        ('$.properties.unhealthyResourceCount', 'NUMBER'),
        ('$.properties.notApplicableResourceCount', 'NUMBER'),
        ('$.properties.definition', 'OBJECT'),
        ('$.properties.definition.id', 'TEXT'),
        ('$.properties.definition.name', 'TEXT'),
        ('$.properties.definition.type', 'TEXT'),
        ('$.properties.definition.properties', 'OBJECT'),
        ('$.properties.definition.properties.displayName', 'TEXT'),
        ('$.properties.definition.properties.description', 'TEXT'),
        ('$.properties.definition.properties.maxScore', 'NUMBER'),
        ('$.properties.definition.properties.source', 'OBJECT'),
        ('$.properties.definition.properties.source.sourceType', 'TEXT'),
        ('$.properties.definition.properties.assessmentDefinitions', 'ARRAY'),
        ('$.properties.definition.properties.assessmentDefinitions[0]', 'OBJECT'),
        ('$.properties.definition.properties.assessmentDefinitions[0].id', 'TEXT')
),
structures as (
    select distinct try(json_structure(record)) as structure
    from internal.record_versions
    where event_type = $event_type
        and first_fetch_id in (select selected_fetches.fetch_id from selected_fetches)
),
observed_structures as (
    select distinct
        field.fullkey as field,
        received_type(field.type, field.atom) as type
    from structures, json_tree(structures.structure) as field
)
select observed_structures.field, coalesce(known.type, 'none') as described_as, observed_structures.type as received
from observed_structures
left join known using (field)
where observed_structures.type <> 'NULL'
    and known.type is distinct from observed_structures.type
order by observed_structures.field;
