-- One row: one record of the run in the spool, with the fetch that saw it and the newest version of its kind.
create or replace temp table incoming as
with spooled as (
    select
        subscription_id,
        page,
        position,
        coalesce(lower(try(record ->> '$.id')), '') as record_key,
        unhex(sha256(record)) as record_hash
    from read_json(
        $file,
        format = 'newline_delimited',
        maximum_object_size = $line_bytes,
        columns = {subscription_id: 'varchar', page: 'integer', position: 'integer', record: 'varchar'}
    )
),
told_apart as (
    select
        *,
        row_number() over (partition by subscription_id, record_key order by page, position) as occurrence
    from spooled
)
select
    fetches.fetch_id,
    told_apart.*,
    latest_versions.version_id as known_body_id,
    latest_versions.record_hash is not distinct from told_apart.record_hash as is_unchanged
from told_apart
join raw.fetches as fetches
    on fetches.run_id = $run_id
    and fetches.event_type = $event_type
    and fetches.subscription_id = told_apart.subscription_id
left join internal.latest_versions as latest_versions
    on latest_versions.event_type = $event_type
    and latest_versions.subscription_id = told_apart.subscription_id
    and latest_versions.record_key = told_apart.record_key
    and latest_versions.occurrence = told_apart.occurrence;
