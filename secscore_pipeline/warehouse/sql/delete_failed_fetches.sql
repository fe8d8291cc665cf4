-- Deletes a try at subscriptions of the spool that could read nothing: this try of the same run takes its place. What
-- another run of the sync may have noted of it goes too, so that this try is normalized. A failed fetch has no records.
delete from internal.normalized_fetches
where run_id = $run_id
    and event_type = $event_type;

delete from raw.fetches as fetches
using read_json(
    $fetches_file,
    format = 'newline_delimited',
    maximum_object_size = $line_bytes,
    columns = {subscription_id: 'varchar'}
) as spooled_fetches
where fetches.subscription_id = spooled_fetches.subscription_id
    and fetches.run_id = $run_id
    and fetches.event_type = $event_type;
