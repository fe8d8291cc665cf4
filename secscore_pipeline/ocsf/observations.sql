-- One row: one raw record of a snapshot that is not normalized yet, its fields typed, or the reason it cannot be.
-- Subscriptions are taken in slices, so that memory does not grow with their number.
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

create or replace temp table observations as
with pending as (
    select
        fetches.snapshot_id,
        fetches.tenant_id,
        fetches.subscription_id,
        fetches.event_type,
        fetches.arm_endpoint,
        fetches.cloud_partition,
        fetches.stored_at
    from raw.fetches as fetches
    anti join ocsf.normalized_snapshots as done
        on done.snapshot_id = fetches.snapshot_id
        and done.event_type = fetches.event_type
    where fetches.outcome = 'complete'
        and hash(fetches.subscription_id) % $slices = $slice
),
records as (
    select 'secure_scores' as event_type, snapshot_id, subscription_id, observed_at, page, position, record
    from raw.secure_scores
    where snapshot_id in (select pending.snapshot_id from pending)
    union all
    select 'secure_score_controls' as event_type, snapshot_id, subscription_id, observed_at, page, position, record
    from raw.secure_score_controls
    where snapshot_id in (select pending.snapshot_id from pending)
),
parsed as (
    select
        pending.*,
        records.observed_at,
        records.page,
        records.position,
        records.record,
        json_valid(records.record) and json_type(records.record) = 'OBJECT' as is_object,
        from_json(
            case when json_valid(records.record) then records.record end,
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
                    "definition": {
                        "name": "JSON",
                        "properties": {
                            "displayName": "JSON",
                            "description": "JSON",
                            "maxScore": "JSON",
                            "source": {"sourceType": "JSON"},
                            "assessmentDefinitions": [{"id": "JSON"}]
                        }
                    }
                }
            }'
        ) as fields
    from records
    join pending using (event_type, snapshot_id, subscription_id)
),
typed as (
    select
        snapshot_id,
        tenant_id,
        subscription_id,
        event_type,
        arm_endpoint,
        cloud_partition,
        stored_at,
        observed_at,
        page,
        position,
        record,
        is_object,
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
        json_text(fields.properties.definition.name) as definition_name,
        json_text(fields.properties.definition.properties.displayName) as definition_display_name,
        json_text(fields.properties.definition.properties.description) as definition_description,
        json_number(fields.properties.definition.properties.maxScore) as definition_max,
        json_text(fields.properties.definition.properties.source.sourceType) as definition_source,
        list_filter(
            list_transform(
                fields.properties.definition.properties.assessmentDefinitions,
                lambda definition: nullif(regexp_extract(json_text(definition.id), '([^/]*)/*$', 1), '')
            ),
            lambda uid: uid is not null
        ) as check_uids
    from parsed
)
select
    typed.*,
    lower(typed.id) as finding_uid,
    epoch_ms(typed.observed_at) as time,
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
        when row_number() over (
            partition by typed.snapshot_id, lower(typed.id) order by typed.event_type, typed.page, typed.position
        ) > 1 then 'the snapshot holds a record with this id already'
    end as rejection
from typed;
