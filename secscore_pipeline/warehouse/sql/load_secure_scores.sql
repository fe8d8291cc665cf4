-- One row: one record of a snapshot, from the spool. A record that is no JSON object has no id and no name.
insert into raw.secure_scores by name
select
    snapshot_id,
    tenant_id,
    subscription_id,
    case when json_valid(record) then record ->> '$.id' end as record_id,
    case when json_valid(record) then record ->> '$.name' end as name,
    greatest(observed_at, $not_before) as observed_at,
    page,
    position,
    request_id,
    record
from read_json(
    $file,
    format = 'newline_delimited',
    maximum_object_size = $line_bytes,
    columns = {
        snapshot_id: 'varchar', tenant_id: 'varchar', subscription_id: 'varchar', observed_at: 'timestamptz',
        page: 'integer', position: 'integer', request_id: 'varchar', record: 'varchar'
    }
);
