-- One row: one feed: its newest round, and how many subscriptions it read and could not read then.
-- read_at is what the clock said then; a fetch that is dated after $latest says nothing of how old it is.
with newest as (
    select
        feed,
        max_by(round_id, look_id) as round_id,
        max(least(observed_at, finished_at)) filter (where finished_at <= $latest) as read_at,
        max(finished_at) filter (where finished_at > $latest) as future_at
    from raw.fetches
    group by feed
)
select
    fetches.feed,
    any_value(fetches.tenant_id) as tenant_id,
    any_value(fetches.cloud_partition) as cloud,
    max_by(fetches.snapshot_id, fetches.look_id) as run_id,
    max(fetches.observed_at) as observed_at,
    any_value(newest.read_at) as read_at,
    any_value(newest.future_at) as future_at,
    count(distinct fetches.subscription_id) as subscriptions,
    count(distinct fetches.subscription_id) filter (where fetches.outcome not in ('complete', 'no_score')) as not_read,
    count(distinct fetches.subscription_id) filter (where fetches.outcome = 'no_score') as without_score
from raw.fetches as fetches
join newest using (feed, round_id)
group by fetches.feed
order by fetches.feed;
