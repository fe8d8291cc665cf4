-- One row: one body that is not worked out yet, its fields typed, or the reason it cannot be a finding.
-- Bodies are taken in slices, so that memory does not grow with their number.
-- A JSON string is text and a JSON number is a number; anything else in a field's place counts as absent.
create or replace temp macro json_text(field) as
    case when json_type(field) = 'VARCHAR' then field ->> '$' end;

create or replace temp macro json_number(field) as
    case
        when json_type(field) in ('UBIGINT', 'BIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE')
            and isfinite(try_cast(field as double))
        then try_cast(field as double)
    end;

create or replace temp macro json_count(field) as
    case when json_number(field) = trunc(json_number(field)) then try_cast(json_number(field) as bigint) end;

create or replace temp table news as
with pending as (
    select
        bodies.body_id,
        bodies.occurrence,
        bodies.record,
        fetches.snapshot_id,
        fetches.subscription_id,
        fetches.event_type,
        epoch_ms(fetches.observed_at) as time
    from raw.bodies as bodies
    join raw.fetches as fetches on fetches.look_id = bodies.first_look_id
    where bodies.body_id > $after
        and bodies.body_id <= $upto
),
parsed as (
    select
        * exclude (record),
        regexp_matches(record, '^\s*\{') as looks_like_object,
        -- Parsed once, since every JSON function holds on to memory; null where the record is no JSON.
        try(from_json(
            record,
            '{
                "id": "JSON",
                "name": "JSON",
                "type": "JSON",
                "properties": {
                    "displayName": "JSON",
                    "score": {"max": "JSON", "current": "JSON", "percentage": "JSON"},
                    "weight": "JSON",
                    "healthyResourceCount": "JSON",
                    "unhealthyResourceCount": "JSON",
                    "notApplicableResourceCount": "JSON",
                    "definition": "JSON"
                }
            }'
        )) as fields
    from pending
),
typed as (
    select
        * exclude (fields, looks_like_object),
        looks_like_object and fields is not null as is_object,
        json_text(fields.id) as id,
        json_text(fields.name) as name,
        json_text(fields.type) as type,
        json_text(fields.properties.displayName) as display_name,
        json_number(fields.properties.score.current) as current,
        json_number(fields.properties.score.max) as max,
        json_number(fields.properties.score.percentage) as percentage,
        json_count(fields.properties.weight) as weight,
        json_count(fields.properties.healthyResourceCount) as healthy,
        json_count(fields.properties.unhealthyResourceCount) as unhealthy,
        json_count(fields.properties.notApplicableResourceCount) as not_applicable,
        -- Its digest alone: a definition is long, and the same for every subscription.
        case
            when starts_with(cast(fields.properties.definition as varchar), '{')
            then md5(cast(fields.properties.definition as varchar))
        end as definition_key
    from parsed
)
select
    typed.*,
    lower(typed.id) as finding_uid,
    coalesce(
        case
            when typed.event_type = 'secure_scores' then typed.name
            else nullif(regexp_extract(typed.id, '/secureScores/([^/]+)', 1, 'i'), '')
        end,
        typed.name
    ) as score_name,
    case
        when not typed.is_object then 'the record is no JSON object'
        when coalesce(typed.id, '') = '' then 'the record has no id'
        when typed.occurrence > 1 then 'the snapshot holds a record with this id already'
        when (typed.event_type, typed.subscription_id) <> (
            coalesce(findings.event_type, first_value(typed.event_type) over same_id),
            coalesce(findings.subscription_id, first_value(typed.subscription_id) over same_id)
        ) then 'the id belongs to a record of another event type or subscription'
    end as rejection
from typed
left join ocsf.findings as findings on findings.finding_uid = lower(typed.id)
window same_id as (partition by lower(typed.id) order by typed.body_id);
