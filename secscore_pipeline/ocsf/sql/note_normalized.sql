-- One row: one event type of one run that is normalized now, and how it was rated.
insert into internal.normalized_fetches
    (run_id, event_type, informational_from, low_from, medium_from, extension_version)
select distinct
    fetches.run_id, fetches.event_type, $informational_from, $low_from, $medium_from, $extension_version
from internal.fetches_and_departures as fetches
anti join internal.normalized_fetches as normalized
    on normalized.run_id = fetches.run_id
    and normalized.event_type = fetches.event_type;
