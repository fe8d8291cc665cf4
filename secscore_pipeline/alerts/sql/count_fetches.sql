-- One row: one event type and outcome of one feed: how many subscriptions its newest sync left with that outcome.
with newest_syncs as (
    select feed, max_by(sync_id, fetch_id) as sync_id
    from raw.fetches
    where event_type <> 'assessment_metadata'
    group by feed
),
newest_fetches as (
    select feed, event_type, subscription_id, max_by(outcome, fetch_id) as outcome
    from raw.fetches
    semi join newest_syncs using (feed, sync_id)
    group by feed, event_type, subscription_id
)
select feed, event_type, outcome, count(*) as subscriptions
from newest_fetches
group by feed, event_type, outcome
order by feed, event_type, outcome;
