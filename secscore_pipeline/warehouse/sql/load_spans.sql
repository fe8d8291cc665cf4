-- Ends the spans of the record versions that the run's complete fetches no longer saw, and begins those of what they saw
-- anew: rows are written for what has changed, whatever was read.
create or replace temp table ending_spans as
select spans.version_id, spans.first_fetch_id, fetches.fetch_id as ended_fetch_id
from internal.record_spans as spans
join raw.fetches as fetches
    on fetches.run_id = $run_id
    and fetches.event_type = $event_type
    and fetches.outcome = 'complete'
    and fetches.subscription_id = spans.subscription_id
-- Another part of the run may have been loaded before.
semi join (
    from read_json(
        $fetches_file,
        format = 'newline_delimited',
        maximum_object_size = $line_bytes,
        columns = {subscription_id: 'varchar'}
    )
) as spooled_fetches on spooled_fetches.subscription_id = spans.subscription_id
anti join seen_versions on seen_versions.version_id = spans.version_id
where spans.event_type = $event_type
    and spans.ended_fetch_id is null;

update internal.record_spans as spans
set ended_fetch_id = ending_spans.ended_fetch_id
from ending_spans
where ending_spans.version_id = spans.version_id
    and ending_spans.first_fetch_id = spans.first_fetch_id;

insert into internal.record_spans (version_id, event_type, subscription_id, page, position, first_fetch_id)
select
    seen_versions.version_id,
    $event_type,
    fetches.subscription_id,
    seen_versions.page,
    seen_versions.position,
    seen_versions.fetch_id
from seen_versions
join raw.fetches as fetches using (fetch_id)
anti join (
    select version_id
    from internal.record_spans
    where event_type = $event_type
        and ended_fetch_id is null
) as current_spans using (version_id)
order by seen_versions.fetch_id, seen_versions.page, seen_versions.position;
