-- One row: a subscription that could not be read in the newest snapshot, and why.
select event_type, subscription_id, outcome, error
from looked
where ($event_type is null or event_type = $event_type)
    and ocsf.read_result_of(outcome) = 'not_read';
