-- One row: one of the subscriptions $ids that the newest round of one of the feeds $others read.
with newest as (
    select feed, max_by(round_id, look_id) as round_id
    from raw.fetches
    where list_contains($others, feed)
    group by feed
)
select distinct fetches.subscription_id, fetches.feed
from raw.fetches as fetches
join newest using (feed, round_id)
where list_contains($ids, fetches.subscription_id)
order by all
limit 1;
