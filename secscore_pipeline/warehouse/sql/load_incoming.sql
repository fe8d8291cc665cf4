-- One row: one record of the run in the spool, with its fetch and the newest version of its kind. Of ids and texts there are
-- only digests, as numbers of 128 bits: they are long, and there are many.
create or replace temp table incoming_records as
with named_records as (
    select
        subscription_id,
        page,
        position,
        coalesce(lower(try(record ->> '$.id')), '') as record_id,
        record_hash
    from read_json(
        $records_files,
        format = 'newline_delimited',
        maximum_object_size = $line_bytes,
        columns = {
            subscription_id: 'varchar', page: 'integer', position: 'integer', record: 'varchar', record_hash: 'uuid'
        }
    )
),
keyed_records as (
    select
        subscription_id,
        page,
        position,
        cast(md5(record_id) as uuid) as record_key,
        split_part(record_id, '/', -1) as record_name,
        record_hash
    from named_records
),
numbered_records as (
    select
        *,
        row_number() over (partition by subscription_id, record_key order by page, position) as occurrence
    from keyed_records
)
select
    fetches.fetch_id,
    numbered_records.*,
    latest_versions.version_id as known_version_id,
    latest_versions.record_hash is not distinct from numbered_records.record_hash as is_unchanged
from numbered_records
join raw.fetches as fetches
    on fetches.run_id = $run_id
    and fetches.event_type = $event_type
    and fetches.subscription_id = numbered_records.subscription_id
    -- What was read before a fetch failed is not kept.
    and fetches.outcome = 'complete'
left join internal.latest_versions as latest_versions
    on latest_versions.event_type = $event_type
    and latest_versions.subscription_id = numbered_records.subscription_id
    and latest_versions.record_key = numbered_records.record_key
    and latest_versions.occurrence = numbered_records.occurrence;
