-- One row: one record of the snapshot in the spool, with the look that saw it and the newest body of its kind.
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
    fetches.look_id,
    told_apart.*,
    slots.body_id as known_body_id,
    slots.record_hash is not distinct from told_apart.record_hash as is_unchanged
from told_apart
join raw.fetches as fetches
    on fetches.snapshot_id = $snapshot_id
    and fetches.event_type = $event_type
    and fetches.subscription_id = told_apart.subscription_id
left join raw.slots as slots
    on slots.event_type = $event_type
    and slots.subscription_id = told_apart.subscription_id
    and slots.record_key = told_apart.record_key
    and slots.occurrence = told_apart.occurrence;
