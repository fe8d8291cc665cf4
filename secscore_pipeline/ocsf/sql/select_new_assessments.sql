-- One row: one version of an assessment that is not worked out yet, its fields typed, or the reason it cannot be a finding.
-- Names are told apart without case: Azure writes Source and Id where it documents source and id. What is no text where a
-- text belongs counts as absent; the record keeps it.
create or replace temp macro with_lower_names(entries) as
    {'names': list_transform(map_keys(entries), lambda name: lower(name)), 'fields': map_values(entries)};

create or replace temp macro text_at(entries, name) as text_of(entries.fields[list_position(entries.names, name)]);

-- A moment that Azure can mean: it has been there since 2010. Others count as absent: in milliseconds they would look like
-- seconds, or the other way round.
create or replace temp macro moment_of(field) as
    case
        when try_cast(text_of(field) as timestamptz) between timestamptz '2010-01-01 00:00:00+00' and timestamptz '2200-01-01 00:00:00+00'
        then try_cast(text_of(field) as timestamptz)
    end;

create or replace temp table new_assessments as
with pending_versions as (
    select version_id, first_fetch_id, event_type, occurrence, record
    from internal.record_versions
    where version_id > $after
        and version_id <= $upto
        and event_type = 'assessments'
),
parsed_records as (
    select
        * exclude (record),
        starts_with(ltrim(record, e' \t\r\n'), '{') as looks_like_object,
        try(from_json(
            record,
            '{
                "id": "JSON",
                "name": "JSON",
                "type": "JSON",
                "properties": {
                    "displayName": "JSON",
                    "status": {
                        "code": "JSON",
                        "cause": "JSON",
                        "description": "JSON",
                        "firstEvaluationDate": "JSON",
                        "statusChangeDate": "JSON"
                    },
                    "resourceDetails": "JSON",
                    "links": "JSON",
                    "risk": "JSON"
                }
            }'
        )) as fields
    from pending_versions
),
opened_records as (
    select
        * exclude (fields, looks_like_object),
        looks_like_object and fields is not null as is_object,
        fields,
        with_lower_names(try_cast(fields.properties.resourceDetails as map(varchar, json))) as resource,
        with_lower_names(try_cast(fields.properties.links as map(varchar, json))) as links,
        try(from_json(
            fields.properties.risk,
            '{"level": "JSON", "riskFactors": ["JSON"], "attackPathsReferences": ["JSON"]}'
        )) as risk
    from parsed_records
),
typed_records as (
    select
        * exclude (fields, resource, links, risk),
        text_of(fields.id) as id,
        lower(text_of(fields.id)) as finding_uid,
        lower(coalesce(text_of(fields.name), regexp_extract(text_of(fields.id), '/assessments/([^/]+)', 1, 'i'))) as recommendation_id,
        text_of(fields.type) as type,
        text_of(fields.properties.displayName) as display_name,
        text_of(fields.properties.status.code) as status_code,
        text_of(fields.properties.status.cause) as cause,
        text_of(fields.properties.status.description) as status_description,
        moment_of(fields.properties.status.firstEvaluationDate) as first_evaluated_at,
        moment_of(fields.properties.status.statusChangeDate) as status_changed_at,
        text_at(resource, 'source') as source,
        -- The id of an assessment begins with that of its resource.
        coalesce(
            text_at(resource, 'id'),
            case
                when regexp_matches(text_of(fields.id), './providers/Microsoft\.Security/assessments/', 'i')
                then string_split_regex(text_of(fields.id), '(?i)/providers/Microsoft\.Security/assessments/')[1]
            end
        ) as resource_id,
        coalesce(text_at(resource, 'resourcename'), text_at(resource, 'machinename')) as given_name,
        text_at(resource, 'resourcetype') as given_type,
        text_at(resource, 'resourceprovider') as given_provider,
        text_at(resource, 'connectorid') as account_id,
        text_of(risk.level) as risk_level,
        list_filter(list_transform(risk.riskFactors, lambda factor: text_of(factor)), lambda factor: factor is not null)
            as risk_factors,
        len(risk.attackPathsReferences) as attack_paths,
        coalesce(text_at(links, 'azureportaluri'), text_at(links, 'azureportal')) as portal_link
    from opened_records
)
-- Joined in the end, since a join may keep one side in memory, and the records are long.
select
    typed_records.* exclude (first_fetch_id, given_name, given_type, given_provider, portal_link),
    fetches.run_id,
    fetches.subscription_id,
    epoch_ms(fetches.observed_at) as time,
    internal.state_of(typed_records.status_code, typed_records.cause) as state,
    coalesce(typed_records.given_name, nullif(regexp_extract(typed_records.resource_id, '([^/]*)/*$', 1), ''))
        as resource_name,
    case
        when typed_records.given_type is not null and not contains(typed_records.given_type, '/')
        then coalesce(typed_records.given_provider || '/', '') || typed_records.given_type
        when typed_records.given_type is not null
        then typed_records.given_type
        else internal.resource_type_of(typed_records.resource_id)
    end as resource_type,
    case
        when starts_with(lower(typed_records.portal_link), 'https://') then typed_records.portal_link
        when not contains(typed_records.portal_link, '://') then 'https://' || typed_records.portal_link
    end as portal_url,
    case
        when not coalesce(typed_records.is_object, false) then 'the record is no JSON object'
        when coalesce(typed_records.id, '') = '' then 'the record has no id'
        when coalesce(typed_records.recommendation_id, '') = '' then 'the record has no name'
        when typed_records.occurrence > 1 then 'the run holds a record with this id already'
    end as rejection
from typed_records
join new_fetches as fetches on fetches.fetch_id = typed_records.first_fetch_id;
