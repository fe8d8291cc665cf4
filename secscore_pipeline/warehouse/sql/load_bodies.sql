-- One row: one record that differs from the one before: its text is stored, and it is the newest of its kind.
create or replace temp table changed as
select
    look_id,
    subscription_id,
    page,
    position,
    record_key,
    occurrence,
    record_hash,
    (select coalesce(max(bodies.body_id), 0) from raw.bodies as bodies)
        + row_number() over (order by look_id, page, position) as body_id
from incoming
where not is_unchanged;

delete from raw.slots as slots
using changed
where slots.event_type = $event_type
    and slots.subscription_id = changed.subscription_id
    and slots.record_key = changed.record_key
    and slots.occurrence = changed.occurrence;

insert into raw.slots (event_type, subscription_id, record_key, occurrence, body_id, record_hash)
select $event_type, subscription_id, record_key, occurrence, body_id, record_hash
from changed;

insert into raw.bodies (body_id, first_look_id, occurrence, record)
select changed.body_id, changed.look_id, changed.occurrence, spooled.record
from read_json(
    $file,
    format = 'newline_delimited',
    maximum_object_size = $line_bytes,
    columns = {subscription_id: 'varchar', page: 'integer', position: 'integer', record: 'varchar'}
) as spooled
join changed using (subscription_id, page, position);
