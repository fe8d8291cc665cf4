-- One row: one record that differs from the one before: its text is stored, and it is the newest of its kind.
create or replace temp table changed_records as
select
    fetch_id,
    subscription_id,
    page,
    position,
    record_key,
    record_name,
    occurrence,
    record_hash,
    (select coalesce(max(versions.version_id), 0) from internal.record_versions as versions)
        + row_number() over (order by fetch_id, page, position) as version_id
from incoming_records
where not is_unchanged;

delete from internal.latest_versions as latest_versions
using changed_records
where latest_versions.event_type = $event_type
    and latest_versions.subscription_id = changed_records.subscription_id
    and latest_versions.record_key = changed_records.record_key
    and latest_versions.occurrence = changed_records.occurrence;

insert into internal.latest_versions
    (event_type, subscription_id, record_key, record_name, occurrence, version_id, record_hash)
select $event_type, subscription_id, record_key, record_name, occurrence, version_id, record_hash
from changed_records;

insert into internal.record_versions (version_id, first_fetch_id, event_type, occurrence, record)
select changed_records.version_id, changed_records.fetch_id, $event_type, changed_records.occurrence, spooled.record
from read_json(
    $records_files,
    format = 'newline_delimited',
    maximum_object_size = $line_bytes,
    columns = {subscription_id: 'varchar', page: 'integer', position: 'integer', record: 'varchar'}
) as spooled
join changed_records using (subscription_id, page, position);

insert into seen_versions (fetch_id, page, position, version_id)
select
    incoming_records.fetch_id,
    incoming_records.page,
    incoming_records.position,
    coalesce(changed_records.version_id, incoming_records.known_version_id)
from incoming_records
left join changed_records using (fetch_id, page, position);
