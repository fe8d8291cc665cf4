-- One row: one feed: its newest round, and how many subscriptions it read and could not read then.
with newest as (
    select feed, max_by(round_id, look_id) as round_id
    from raw.fetches
    group by feed
)
select
    fetches.feed,
    any_value(fetches.tenant_id) as tenant_id,
    any_value(fetches.cloud_partition) as cloud,
    max_by(fetches.snapshot_id, fetches.look_id) as run_id,
    max(fetches.observed_at) as observed_at,
    count(distinct fetches.subscription_id) as subscriptions,
    count(distinct fetches.subscription_id) filter (where fetches.outcome not in ('complete', 'no_score')) as not_read,
    count(distinct fetches.subscription_id) filter (where fetches.outcome = 'no_score') as without_score
from raw.fetches as fetches
join newest using (feed, round_id)
group by fetches.feed
order by fetches.feed;
