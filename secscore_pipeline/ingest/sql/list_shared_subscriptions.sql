-- One row: one of the subscriptions $ids that is in the scope of one of the feeds $others.
select subscription_id, feed
from raw.current_scope
where state = 'in_scope'
    and list_contains($others, feed)
    and list_contains($ids, subscription_id)
order by all
limit 1;
