-- One row: one secure score of the newest normalized round of its feed, of a subscription in scope, worst first; a score
-- that is none comes last.
create or replace temp table looked as
with newest as (
    select fetches.feed, max_by(fetches.round_id, fetches.look_id) as round_id
    from raw.fetches as fetches
    join ocsf.normalized_snapshots as normalized using (snapshot_id, event_type)
    where fetches.event_type = 'secure_scores'
    group by fetches.feed
)
select fetches.*
from raw.fetches as fetches
join newest using (feed, round_id)
semi join (from raw.current_scope where state = 'in_scope') as scope using (subscription_id)
where fetches.event_type = 'secure_scores'
-- A subscription that went over to another feed is told of by that one.
qualify row_number() over (partition by fetches.subscription_id order by fetches.look_id desc) = 1;

select
    observations.subscription_id,
    entities.name as subscription_name,
    observations.score_name as score,
    "current",
    "max",
    "current" / nullif("max", 0) as fraction,
    weight,
    compliance_status as status,
    observed_at
from ocsf.observations_at('looked') as observations
left join ocsf.entities as entities using (entity_id)
where activity_id <> 3
order by fraction nulls last, subscription_id, score
limit $limit;
