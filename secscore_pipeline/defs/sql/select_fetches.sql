-- One row: one fetch of a run. What is asked of a run starts from this table, so that nothing else is read.
create or replace temp table selected_fetches as
from raw.fetches
where run_id = $run_id;

-- The type of a field by DuckDB's structure of a record, in the words of the checks.
create or replace temp macro received_type(type, atom) as
    case
        when type in ('OBJECT', 'ARRAY') then type
        when atom ->> '$' in ('UBIGINT', 'BIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE') then 'NUMBER'
        when atom ->> '$' = 'VARCHAR' then 'TEXT'
        when atom ->> '$' = 'JSON' then 'MIXED'
        else atom ->> '$'
    end;

-- One row: one record that one of those fetches saw.
create or replace temp macro versions_seen(kind) as table
select observations.version_id
from internal.observations as observations
join selected_fetches using (fetch_id)
where selected_fetches.event_type = kind;

-- One row: one record of an event type that is stored as spans, and a fetch of those that saw it.
create or replace temp macro spans_seen(kind) as table
select fetches.fetch_id, fetches.subscription_id, spans.first_fetch_id, spans.page, spans.position, spans.version_id
from internal.record_spans as spans
join selected_fetches as fetches
    on fetches.event_type = spans.event_type
    and fetches.subscription_id = spans.subscription_id
    and fetches.outcome = 'complete'
    and fetches.fetch_id >= spans.first_fetch_id
    and (spans.ended_fetch_id is null or fetches.fetch_id < spans.ended_fetch_id)
where spans.event_type = kind;

-- One row: one field of the records of an event type that are new in those fetches, and its type. Of many records, a
-- random sample of 10,000 to 20,000: to find out the structure of a record takes longer than to load it.
create or replace temp macro fields_received(kind) as table
with new_versions as (
    select version_id, count(*) over () as versions
    from internal.record_versions
    where event_type = kind
        and first_fetch_id in (select selected_fetches.fetch_id from selected_fetches)
),
structures as (
    select distinct try(json_structure(records.record)) as structure
    from internal.record_versions as records
    where records.event_type = kind
        and records.version_id in (
            select new_versions.version_id
            from new_versions
            where hash(new_versions.version_id) % (new_versions.versions // 20000 + 1) = 0
        )
)
select distinct field.fullkey as field, received_type(field.type, field.atom) as type
from structures, json_tree(structures.structure) as field;
