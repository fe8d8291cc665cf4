-- One row: one of the subscriptions $ids that a run before this one has read.
select distinct subscription_id
from raw.fetches
where run_id <> $run_id
    and list_contains($ids, subscription_id);
