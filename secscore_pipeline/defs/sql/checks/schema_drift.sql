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
)
select received.field, coalesce(known.type, 'none') as described_as, received.type as received
from fields_received($event_type) as received
left join known using (field)
where received.type <> 'NULL'
    and known.type is distinct from received.type
order by received.field;
