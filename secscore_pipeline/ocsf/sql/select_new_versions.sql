-- One row: one version of a score or control that is not worked out yet, its fields typed, or the reason it cannot be a finding.
-- Versions are taken in slices, so that memory does not grow with their number.
-- A JSON string is text and a JSON number is a number; anything else in a field's place counts as absent.
create or replace temp macro text_of(field) as
    case when starts_with(cast(field as varchar), '"') then field ->> '$' end;

create or replace temp macro texts_of(fields) as
    list_filter(list_transform(fields, lambda field: text_of(field)), lambda text: text is not null);

-- A number that no sum or ratio of many can make infinite or overflow; a larger one, or one too near to 0, counts as
-- absent too. The record keeps it.
create or replace temp macro number_of(field) as
    case
        when internal.is_plausible(try_cast(cast(field as varchar) as double))
        then try_cast(cast(field as varchar) as double)
    end;

create or replace temp macro count_of(field) as
    case when number_of(field) = trunc(number_of(field)) then try_cast(number_of(field) as bigint) end;

-- What has no finding, though nothing is wrong with it by itself, has the id of somebody else's.
create or replace temp macro rejection_of(rejection, finding_id) as
    coalesce(
        rejection,
        if(finding_id is null, 'the id belongs to a record of another event type or subscription', null)
    );

-- The fetches that saw those versions first, put aside: a join may keep all fetches there are in memory.
create or replace temp table new_fetches as
select fetch_id, run_id, subscription_id, observed_at
from raw.fetches
where fetch_id in (
    select versions.first_fetch_id
    from internal.record_versions as versions
    where versions.version_id > $after
        and versions.version_id <= $upto
);

create or replace temp table new_versions as
with pending_versions as (
    select version_id, first_fetch_id, event_type, occurrence, record
    from internal.record_versions
    where version_id > $after
        and version_id <= $upto
        and event_type in (
            select kinds.event_type
            from internal.event_types_with_findings as kinds
            where kinds.is_scored
        )
),
-- One reading of the record, and no more, since each costs time and memory; null where it is no JSON object.
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
                    "score": {"current": "JSON", "max": "JSON", "percentage": "JSON"},
                    "weight": "JSON",
                    "healthyResourceCount": "JSON",
                    "unhealthyResourceCount": "JSON",
                    "notApplicableResourceCount": "JSON",
                    "definition": "JSON"
                }
            }'
        )) as fields
    from pending_versions
),
typed_records as (
    select
        * exclude (fields, looks_like_object),
        looks_like_object and fields is not null as is_object,
        text_of(fields.id) as id,
        lower(text_of(fields.id)) as finding_uid,
        text_of(fields.name) as name,
        text_of(fields.type) as type,
        text_of(fields.properties.displayName) as display_name,
        number_of(fields.properties.score.current) as current,
        number_of(fields.properties.score.max) as max,
        number_of(fields.properties.score.percentage) as percentage,
        count_of(fields.properties.weight) as weight,
        count_of(fields.properties.healthyResourceCount) as healthy,
        count_of(fields.properties.unhealthyResourceCount) as unhealthy,
        count_of(fields.properties.notApplicableResourceCount) as not_applicable,
        -- Its digest alone: a definition is long, and the same for every subscription.
        case
            when starts_with(cast(fields.properties.definition as varchar), '{')
            then md5(cast(fields.properties.definition as varchar))
        end as definition_key
    from parsed_records
)
-- Joined in the end, since a join may keep one side in memory, and the records are long.
select
    typed_records.* exclude (first_fetch_id),
    fetches.run_id,
    fetches.subscription_id,
    epoch_ms(fetches.observed_at) as time,
    coalesce(
        case
            when typed_records.event_type = 'secure_scores' then typed_records.name
            else nullif(regexp_extract(typed_records.id, '/secureScores/([^/]+)', 1, 'i'), '')
        end,
        typed_records.name
    ) as score_name,
    case
        when not coalesce(typed_records.is_object, false) then 'the record is no JSON object'
        when coalesce(typed_records.id, '') = '' then 'the record has no id'
        when typed_records.occurrence > 1 then 'the run holds a record with this id already'
    end as rejection
from typed_records
join new_fetches as fetches on fetches.fetch_id = typed_records.first_fetch_id;
