-- One row: one secure score control with a potential increase in the newest normalized sync, most points first.
create or replace temp table latest_control_fetches as
from raw.fetches
where sync_id = internal.newest_sync('secure_score_controls');

select
    any_value(display_name) as control,
    sum("max" - "current") as potential_increase,
    sum(unhealthy) as unhealthy_resources,
    count(*) as subscriptions
from internal.observations_at('latest_control_fetches')
where event_type = 'secure_score_controls'
    and activity_id <> 3
    and lower(score_name) = 'ascscore'
    and "max" > "current"
group by split_part(finding_uid, '/', -1)
order by potential_increase desc, control
limit $limit;
