-- One row: one secure score of the newest normalized sync of its feed, of a subscription in scope, worst first; a score
-- that is none comes last.
create or replace temp table latest_score_fetches as
with newest as (
    select fetches.feed, max_by(fetches.sync_id, fetches.fetch_id) as sync_id
    from raw.fetches as fetches
    join internal.normalized_fetches as normalized using (run_id, event_type)
    where fetches.event_type = 'secure_scores'
    group by fetches.feed
)
select fetches.*
from raw.fetches as fetches
join newest using (feed, sync_id)
semi join (from raw.current_scope where state = 'in_scope') as scope using (subscription_id)
where fetches.event_type = 'secure_scores'
-- A subscription that moved to another feed belongs to that one.
qualify row_number() over (partition by fetches.subscription_id order by fetches.fetch_id desc) = 1;

select
    observations.subscription_id,
    entities.name as subscription_name,
    observations.score_name as score,
    "current",
    "max",
    "current" / nullif("max", 0) as percentage,
    weight,
    compliance_status as status,
    observed_at
from internal.observations_at('latest_score_fetches') as observations
left join internal.subscription_versions as entities using (subscription_version_id)
where activity_id <> 3
order by percentage nulls last, subscription_id, score
limit $limit;
