-- One row: a field of a record that is new in the newest run, which the API's description does not name, or whose type is
-- another one.
-- Source of the known fields: assessments.json and assessmentMetadata.json of API versions 2020-01-01 to 2025-05-04.
-- A field that ends in * has others below it that no description names.
with known(event_type, field, type) as (
    values
        (null, '$', 'OBJECT'),
        (null, '$.id', 'TEXT'),
        (null, '$.name', 'TEXT'),
        (null, '$.type', 'TEXT'),
        (null, '$.properties', 'OBJECT'),
        (null, '$.properties.displayName', 'TEXT'),
        ('assessments', '$.properties.status', 'OBJECT'),
        ('assessments', '$.properties.status.code', 'TEXT'),
        ('assessments', '$.properties.status.cause', 'TEXT'),
        ('assessments', '$.properties.status.description', 'TEXT'),
        ('assessments', '$.properties.status.firstEvaluationDate', 'TEXT'),
        ('assessments', '$.properties.status.statusChangeDate', 'TEXT'),
        ('assessments', '$.properties.resourceDetails', 'OBJECT'),
        ('assessments', '$.properties.resourceDetails.*', null),
        ('assessments', '$.properties.additionalData', 'OBJECT'),
        ('assessments', '$.properties.additionalData.*', null),
        ('assessments', '$.properties.links', 'OBJECT'),
        ('assessments', '$.properties.links.azurePortalUri', 'TEXT'),
        ('assessments', '$.properties.links.azurePortal', 'TEXT'),
        ('assessments', '$.properties.metadata', 'OBJECT'),
        ('assessments', '$.properties.metadata.*', null),
        ('assessments', '$.properties.partnersData', 'OBJECT'),
        ('assessments', '$.properties.partnersData.*', null),
        ('assessments', '$.properties.risk', 'OBJECT'),
        ('assessments', '$.properties.risk.level', 'TEXT'),
        ('assessments', '$.properties.risk.riskFactors', 'ARRAY'),
        ('assessments', '$.properties.risk.riskFactors[0]', 'TEXT'),
        ('assessments', '$.properties.risk.attackPathsReferences', 'ARRAY'),
        ('assessments', '$.properties.risk.attackPathsReferences[0]', 'TEXT'),
        ('assessments', '$.properties.risk.paths', 'ARRAY'),
        ('assessments', '$.properties.risk.paths[*', null),
        ('assessments', '$.properties.risk.isContextualRisk', 'BOOLEAN'),
        ('assessment_metadata', '$.properties.policyDefinitionId', 'TEXT'),
        ('assessment_metadata', '$.properties.description', 'TEXT'),
        ('assessment_metadata', '$.properties.remediationDescription', 'TEXT'),
        ('assessment_metadata', '$.properties.categories', 'ARRAY'),
        ('assessment_metadata', '$.properties.categories[0]', 'TEXT'),
        ('assessment_metadata', '$.properties.severity', 'TEXT'),
        ('assessment_metadata', '$.properties.userImpact', 'TEXT'),
        ('assessment_metadata', '$.properties.implementationEffort', 'TEXT'),
        ('assessment_metadata', '$.properties.threats', 'ARRAY'),
        ('assessment_metadata', '$.properties.threats[0]', 'TEXT'),
        ('assessment_metadata', '$.properties.tactics', 'ARRAY'),
        ('assessment_metadata', '$.properties.tactics[0]', 'TEXT'),
        ('assessment_metadata', '$.properties.techniques', 'ARRAY'),
        ('assessment_metadata', '$.properties.techniques[0]', 'TEXT'),
        ('assessment_metadata', '$.properties.preview', 'BOOLEAN'),
        ('assessment_metadata', '$.properties.assessmentType', 'TEXT'),
        ('assessment_metadata', '$.properties.plannedDeprecationDate', 'TEXT'),
        ('assessment_metadata', '$.properties.publishDates', 'OBJECT'),
        ('assessment_metadata', '$.properties.publishDates.GA', 'TEXT'),
        ('assessment_metadata', '$.properties.publishDates.public', 'TEXT'),
        ('assessment_metadata', '$.properties.partnerData', 'OBJECT'),
        ('assessment_metadata', '$.properties.partnerData.*', null)
),
known_fields as (
    select field, type
    from known
    where coalesce(event_type, $event_type) = $event_type
)
select
    received.field,
    coalesce(known_fields.type, 'none') as described_as,
    received.type as received
from fields_received($event_type) as received
left join known_fields using (field)
where received.type <> 'NULL'
    and known_fields.type is distinct from received.type
    and not exists (
        select open_fields.field
        from known_fields as open_fields
        where ends_with(open_fields.field, '*')
            and starts_with(received.field, rtrim(open_fields.field, '*'))
    )
order by received.field;
