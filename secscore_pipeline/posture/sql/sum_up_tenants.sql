-- One row: the numbers of one tenant in the newest normalized sync that are plotted over time. The percentage (0..100) is
-- Microsoft's roll-up over subscriptions: the sum of score x weight over the sum of weights; a subscription
-- without a score or with nothing scored is left out, never counted as 0.
create or replace temp table latest_fetches as
from raw.fetches
where sync_id = internal.newest_sync(null);

with observations as (
    select tenant_id, is_control, "current", "max", weight, unhealthy
    from internal.observations_at('latest_fetches')
    where activity_id <> 3
        and lower(score_name) = 'ascscore'
)
select
    tenant_id,
    round(
        100 * sum("current" / "max" * weight) filter (where not is_control and "max" > 0)
        / nullif(sum(weight) filter (where not is_control and "max" > 0 and "current" is not null), 0),
        2
    ) as score_percent,
    sum("current") filter (where not is_control) as points_current,
    sum("max") filter (where not is_control) as points_max,
    sum(unhealthy) filter (where is_control) as unhealthy_resources
from observations
group by tenant_id
order by tenant_id;
