-- One row: a subscription that could not be read in the newest run, and why. The metadata of recommendations is a tenant's:
-- where the list of one subscription cannot be read, that of another one is.
select event_type, subscription_id, outcome, error
from selected_fetches
where ($event_type is null or event_type = $event_type)
    and event_type <> 'assessment_metadata'
    and internal.read_result_of(outcome) = 'not_read';
