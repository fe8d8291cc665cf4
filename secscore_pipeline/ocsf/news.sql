-- One row: one body that is not worked out yet, its fields typed, or the reason it cannot be a finding.
-- Bodies are taken in slices, so that memory does not grow with their number.
-- A JSON string is text and a JSON number is a number; anything else in a field's place counts as absent.
create or replace temp macro text_of(kind, field) as
    case when kind = 'VARCHAR' then field end;

create or replace temp macro number_of(kind, field) as
    case when (ends_with(kind, 'INT') or kind = 'DOUBLE') and isfinite(field) then field end;

create or replace temp macro count_of(kind, field) as
    case when number_of(kind, field) = trunc(field) then try_cast(field as bigint) end;

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
-- Two readings of the record, and no more, since each costs time and memory: what its fields hold as the types they
-- should have, and what they really are. Both are null where the record is no JSON.
parsed as (
    select
        * exclude (record),
        try(from_json(
            record,
            '{
                "id": "VARCHAR",
                "name": "VARCHAR",
                "type": "VARCHAR",
                "properties": {
                    "displayName": "VARCHAR",
                    "score": {"current": "DOUBLE", "max": "DOUBLE", "percentage": "DOUBLE"},
                    "weight": "DOUBLE",
                    "healthyResourceCount": "DOUBLE",
                    "unhealthyResourceCount": "DOUBLE",
                    "notApplicableResourceCount": "DOUBLE",
                    "definition": "JSON"
                }
            }'
        )) as fields,
        try(json_type(
            record,
            [
                '$.id',
                '$.name',
                '$.type',
                '$.properties.displayName',
                '$.properties.score.current',
                '$.properties.score.max',
                '$.properties.score.percentage',
                '$.properties.weight',
                '$.properties.healthyResourceCount',
                '$.properties.unhealthyResourceCount',
                '$.properties.notApplicableResourceCount',
                '$.properties.definition',
                '$'
            ]
        )) as kinds
    from pending
),
typed as materialized (
    select
        * exclude (fields, kinds),
        kinds[13] = 'OBJECT' as is_object,
        text_of(kinds[1], fields.id) as id,
        lower(text_of(kinds[1], fields.id)) as finding_uid,
        text_of(kinds[2], fields.name) as name,
        text_of(kinds[3], fields.type) as type,
        text_of(kinds[4], fields.properties.displayName) as display_name,
        number_of(kinds[5], fields.properties.score.current) as current,
        number_of(kinds[6], fields.properties.score.max) as max,
        number_of(kinds[7], fields.properties.score.percentage) as percentage,
        count_of(kinds[8], fields.properties.weight) as weight,
        count_of(kinds[9], fields.properties.healthyResourceCount) as healthy,
        count_of(kinds[10], fields.properties.unhealthyResourceCount) as unhealthy,
        count_of(kinds[11], fields.properties.notApplicableResourceCount) as not_applicable,
        -- Its digest alone: a definition is long, and the same for every subscription.
        case when kinds[12] = 'OBJECT' then md5(cast(fields.properties.definition as varchar)) end as definition_key
    from parsed
),
-- An id belongs to the event type and subscription that it was first seen with.
owners as (
    select
        newcomers.finding_uid,
        coalesce(any_value(known.event_type), arg_min(newcomers.event_type, newcomers.body_id)) as event_type,
        coalesce(any_value(known.subscription_id), arg_min(newcomers.subscription_id, newcomers.body_id))
            as subscription_id
    from typed as newcomers
    left join ocsf.findings as known using (finding_uid)
    group by newcomers.finding_uid
)
select
    typed.*,
    coalesce(
        case
            when typed.event_type = 'secure_scores' then typed.name
            else nullif(regexp_extract(typed.id, '/secureScores/([^/]+)', 1, 'i'), '')
        end,
        typed.name
    ) as score_name,
    case
        when not coalesce(typed.is_object, false) then 'the record is no JSON object'
        when coalesce(typed.id, '') = '' then 'the record has no id'
        when typed.occurrence > 1 then 'the snapshot holds a record with this id already'
        when typed.event_type <> owners.event_type or typed.subscription_id <> owners.subscription_id
            then 'the id belongs to a record of another event type or subscription'
    end as rejection
from typed
left join owners using (finding_uid);
