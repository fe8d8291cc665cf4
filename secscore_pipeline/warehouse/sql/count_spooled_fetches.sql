-- One row: how many fetches of the spool the store has already, of the same run, that say how a subscription stands.
select count(*) as fetches
from raw.fetches
semi join (
    from read_json(
        $fetches_file,
        format = 'newline_delimited',
        maximum_object_size = $line_bytes,
        columns = {subscription_id: 'varchar'}
    )
) as spooled_fetches using (subscription_id)
where run_id = $run_id
    and event_type = $event_type
    and internal.read_result_of(outcome) <> 'not_read';
