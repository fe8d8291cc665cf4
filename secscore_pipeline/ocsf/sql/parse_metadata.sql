-- One row: what one new version of a recommendation's metadata means; its texts are HTML, which become plain text.
insert into internal.parsed_metadata by name
with parsed_records as (
    select
        versions.version_id,
        try(from_json(
            versions.record,
            '{
                "name": "JSON",
                "properties": {
                    "displayName": "JSON",
                    "severity": "JSON",
                    "userImpact": "JSON",
                    "implementationEffort": "JSON",
                    "description": "JSON",
                    "remediationDescription": "JSON",
                    "categories": ["JSON"],
                    "threats": ["JSON"],
                    "tactics": ["JSON"],
                    "techniques": ["JSON"],
                    "assessmentType": "JSON",
                    "policyDefinitionId": "JSON",
                    "preview": "JSON"
                }
            }'
        )) as fields
    from internal.record_versions as versions
    where versions.version_id > $after
        and versions.version_id <= $upto
        and versions.event_type = 'assessment_metadata'
)
select
    version_id,
    lower(text_of(fields.name)) as recommendation_id,
    text_of(fields.properties.displayName) as display_name,
    internal.spell_level(text_of(fields.properties.severity)) as severity,
    internal.spell_level(text_of(fields.properties.userImpact)) as user_impact,
    internal.spell_level(text_of(fields.properties.implementationEffort)) as effort,
    nullif(descriptions.plain, '') as description,
    nullif(remediations.plain, '') as remediation,
    texts_of(fields.properties.categories) as categories,
    texts_of(fields.properties.threats) as threats,
    texts_of(fields.properties.tactics) as tactics,
    texts_of(fields.properties.techniques) as techniques,
    text_of(fields.properties.assessmentType) as assessment_type,
    text_of(fields.properties.policyDefinitionId) as policy_definition_id,
    coalesce(cast(fields.properties.preview as varchar) in ('true', '"true"', '"True"'), false) as is_preview
from parsed_records
left join plain_texts as descriptions on descriptions.html = text_of(fields.properties.description)
left join plain_texts as remediations on remediations.html = text_of(fields.properties.remediationDescription)
order by version_id;
