-- One row: a subscription that could not be read in the newest run, and why.
select event_type, subscription_id, outcome, error
from selected_fetches
where ($event_type is null or event_type = $event_type)
    and internal.read_result_of(outcome) = 'not_read';
