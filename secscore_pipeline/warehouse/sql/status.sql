-- One row: one feed: its newest round, and how many subscriptions it read and could not read then.
-- future_at is the newest date after $latest that a wrong clock gave one of its fetches.
with newest as (
    select
        feed,
        max_by(round_id, look_id) as round_id,
        max(finished_at) filter (where finished_at > $latest) as future_at
    from raw.fetches
    group by feed
)
select
    fetches.feed,
    count(distinct fetches.tenant_id) as tenants,
    any_value(fetches.cloud_partition) as cloud,
    max_by(fetches.snapshot_id, fetches.look_id) as run_id,
    max(fetches.observed_at) as observed_at,
    any_value(newest.future_at) as future_at,
    count(distinct fetches.subscription_id) as subscriptions,
    count(distinct fetches.subscription_id) filter (where fetches.outcome not in ('complete', 'no_score', 'unsupported')) as not_read,
    count(distinct fetches.subscription_id) filter (where fetches.outcome in ('no_score', 'unsupported')) as without_score
from raw.fetches as fetches
join newest using (feed, round_id)
group by fetches.feed
order by fetches.feed;
