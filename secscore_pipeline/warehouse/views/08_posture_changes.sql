-- One row: what moved between two neighbouring complete fetches at a subscription's controls, and why: one control (or
-- control_id null: what no control explains). Points add up to the score's move in points, fractions to its move in
-- fraction: (change of points - old fraction x change of maximum) / new maximum, which is exact when summed.
create or replace view posture.changes as
with fetches as (
    select
        fetch_id,
        run_id,
        tenant_id,
        subscription_id,
        subscription_version_id,
        observed_at,
        internal.day_of(observed_at) as day,
        lag(fetch_id) over (partition by subscription_id order by fetch_id) as previous_fetch_id,
        lag(observed_at) over (partition by subscription_id order by fetch_id) as previous_observed_at
    from raw.fetches
    where event_type = 'secure_score_controls'
        and outcome = 'complete'
),
-- Each fetch twice: as what it saw, and as what the fetch before it had seen.
sides as (
    select *, fetch_id as observed_fetch_id, true as is_now from fetches where previous_fetch_id is not null
    union all
    select *, previous_fetch_id as observed_fetch_id, false as is_now from fetches where previous_fetch_id is not null
),
observation_pairs as (
    select
        sides.* exclude (observed_fetch_id),
        parsed_versions.finding_id,
        internal.spell_score(parsed_versions.score_name) as score,
        internal.spell_id(parsed_versions.name) as control_id,
        parsed_versions.display_name as control,
        coalesce(parsed_versions."current", 0) as "current",
        coalesce(parsed_versions."max", 0) as "max",
        coalesce(parsed_versions.healthy, 0) as healthy,
        coalesce(parsed_versions.unhealthy, 0) as unhealthy
    from sides
    join internal.observations as observations on observations.fetch_id = sides.observed_fetch_id
    join internal.parsed_versions as parsed_versions using (version_id)
    where parsed_versions.finding_id is not null
),
-- What says which fetch it is goes all the way through, so that a filter on it is applied before anything is paired.
comparisons as (
    select
        fetch_id,
        run_id,
        tenant_id,
        subscription_id,
        subscription_version_id,
        observed_at,
        day,
        previous_observed_at,
        finding_id,
        score,
        any_value(control_id) as control_id,
        max_by(control, is_now) as control,
        count(*) filter (where is_now) = 1 as is_here,
        count(*) filter (where not is_now) = 1 as was_here,
        coalesce(sum("current") filter (where not is_now), 0) as current_before,
        coalesce(sum("current") filter (where is_now), 0) as current_after,
        coalesce(sum("max") filter (where not is_now), 0) as max_before,
        coalesce(sum("max") filter (where is_now), 0) as max_after,
        coalesce(sum(healthy) filter (where not is_now), 0) as healthy_before,
        coalesce(sum(healthy) filter (where is_now), 0) as healthy_after,
        coalesce(sum(unhealthy) filter (where not is_now), 0) as unhealthy_before,
        coalesce(sum(unhealthy) filter (where is_now), 0) as unhealthy_after
    from observation_pairs
    group by
        fetch_id,
        run_id,
        tenant_id,
        subscription_id,
        subscription_version_id,
        observed_at,
        day,
        previous_observed_at,
        finding_id,
        score
),
-- A resource that left one side while one joined the other was fixed or broken; the rest came or went.
counted_pairs as (
    select
        *,
        is_here and was_here and max_before > 0 and max_after > 0 as is_comparable,
        case
            when healthy_after > healthy_before and unhealthy_after < unhealthy_before
            then least(healthy_after - healthy_before, unhealthy_before - unhealthy_after)
            when healthy_after < healthy_before and unhealthy_after > unhealthy_before
            then -least(healthy_before - healthy_after, unhealthy_after - unhealthy_before)
            else 0
        end as fixed,
        healthy_before / nullif(healthy_before + unhealthy_before, 0) as ratio_before,
        sum(current_before) over whole as score_before,
        sum(max_before) over whole as score_max_before,
        sum(max_after) over whole as score_max_after
    from comparisons
    window whole as (partition by fetch_id, subscription_id, observed_at, day, score)
),
explanations as (
    select
        *,
        if(is_comparable, coalesce(internal.round_points((max_after - max_before) * ratio_before), 0), 0) as points_by_maximum,
        if(is_comparable, coalesce(internal.round_points(max_after * fixed / nullif(healthy_before + unhealthy_before, 0)), 0), 0)
            as points_by_fixes,
        case
            when not was_here then internal.round_points(current_after)
            when not is_here then internal.round_points(-current_before)
            else 0
        end as points_by_controls
    from counted_pairs
)
select
    explanations.observed_at,
    explanations.day,
    explanations.previous_observed_at,
    explanations.tenant_id,
    explanations.subscription_id,
    entities.name as subscription_name,
    explanations.score,
    explanations.control_id,
    explanations.control,
    explanations.is_here and not explanations.was_here as appeared,
    explanations.was_here and not explanations.is_here as disappeared,
    internal.round_points(explanations.current_after - explanations.current_before) as points,
    internal.round_points(explanations.max_after - explanations.max_before) as points_max,
    explanations.fixed as resources_fixed,
    explanations.healthy_after + explanations.unhealthy_after - explanations.healthy_before - explanations.unhealthy_before
        as resources_more,
    explanations.points_by_fixes,
    explanations.points_by_controls,
    explanations.points_by_maximum,
    -- What is left is the resources that came and went, with the rounding of points and causes to two digits.
    internal.round_points(
        explanations.current_after - explanations.current_before - explanations.points_by_fixes - explanations.points_by_controls
        - explanations.points_by_maximum
    ) as points_by_resources,
    -- Ten digits: rounded to four, those of many controls would not add up to the score's.
    round((
        explanations.current_after - explanations.current_before
        - explanations.score_before / nullif(explanations.score_max_before, 0) * (explanations.max_after - explanations.max_before)
    ) / nullif(explanations.score_max_after, 0), 10) + 0 as fraction,
    explanations.fetch_id,
    explanations.run_id
from explanations
left join internal.subscription_versions as entities using (subscription_version_id)
where explanations.current_after <> explanations.current_before
    or explanations.max_after <> explanations.max_before
    or explanations.healthy_after <> explanations.healthy_before
    or explanations.unhealthy_after <> explanations.unhealthy_before
    or explanations.is_here <> explanations.was_here;

comment on view posture.changes is 'One row: one control that moved between two neighbouring complete fetches at its subscription, and what each cause explains; the causes add up.';
