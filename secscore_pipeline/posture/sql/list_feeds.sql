-- One row: one feed: its newest sync, and how many subscriptions it read, found without a score, and could not read.
-- future_at is the newest date after $latest that a wrong clock gave one of its fetches.
with newest as (
    select
        feed,
        max_by(run_id, fetch_id) as run_id,
        max(finished_at) filter (where finished_at > $latest) as future_at
    from raw.fetches
    group by feed
)
select
    results.feed,
    count(distinct results.tenant_id) as tenants,
    any_value(results.cloud_partition) as cloud,
    any_value(newest.run_id) as run_id,
    max(results.observed_at) as observed_at,
    any_value(newest.future_at) as future_at,
    count(*) as subscriptions,
    count(*) filter (where results.result = 'read') as "read",
    count(*) filter (where results.result = 'not_read') as not_read,
    count(*) filter (where results.result = 'no_score') as without_score
from posture.read_results as results
join newest using (feed)
group by results.feed
order by results.feed;
