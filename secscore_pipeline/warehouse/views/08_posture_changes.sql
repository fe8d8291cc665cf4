-- One row: what moved between two neighbouring complete fetches of a subscription's controls, and why: one control (or
-- control_id null: what no control explains). Points add up to the score's move in points, percentages to its move in
-- percentage: (change of points - old percentage x change of maximum) / new maximum, which is exact when summed.
create or replace view posture.changes as
-- Of all fetches there are, no more than this, which is sorted.
with fetch_pairs as (
    select
        subscription_id,
        fetch_id,
        lag(fetch_id) over (partition by subscription_id order by fetch_id) as previous_fetch_id
    from raw.fetches
    where event_type = 'secure_score_controls'
        and outcome = 'complete'
),
fetches as (
    select
        fetches.fetch_id,
        fetches.run_id,
        fetches.tenant_id,
        fetches.subscription_id,
        fetches.subscription_version_id,
        fetches.observed_at,
        internal.day_of(fetches.observed_at) as day,
        previous.fetch_id as previous_fetch_id,
        previous.observed_at as previous_observed_at
    from raw.fetches as fetches
    join fetch_pairs using (subscription_id, fetch_id)
    join raw.fetches as previous on previous.fetch_id = fetch_pairs.previous_fetch_id
),
-- Each fetch twice: as what it saw, and as what the fetch before it had seen.
sides as (
    select *, fetch_id as observed_fetch_id, true as is_now from fetches
    union all
    select *, previous_fetch_id as observed_fetch_id, false as is_now from fetches
),
observation_pairs as (
    select
        sides.* exclude (observed_fetch_id),
        parsed.finding_id,
        internal.spell_score(parsed.score_name) as score,
        internal.spell_id(parsed.name) as control_id,
        parsed.display_name as control,
        coalesce(parsed."current", 0) as "current",
        coalesce(parsed."max", 0) as "max",
        coalesce(parsed.healthy, 0) as healthy,
        coalesce(parsed.unhealthy, 0) as unhealthy
    from sides
    join internal.observations as observations on observations.fetch_id = sides.observed_fetch_id
    join internal.parsed_versions as parsed using (version_id)
    where parsed.finding_id is not null
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
causes as (
    select
        *,
        if(is_comparable, coalesce(internal.round_points((max_after - max_before) * ratio_before), 0), 0)
            as points_by_maximum,
        if(
            is_comparable,
            coalesce(internal.round_points(max_after * fixed / nullif(healthy_before + unhealthy_before, 0)), 0),
            0
        )
            as points_by_fixes,
        case
            when not was_here then internal.round_points(current_after)
            when not is_here then internal.round_points(-current_before)
            else 0
        end as points_by_controls
    from counted_pairs
)
select
    causes.observed_at,
    causes.day,
    causes.previous_observed_at,
    causes.tenant_id,
    causes.subscription_id,
    entities.name as subscription_name,
    causes.score,
    causes.control_id,
    causes.control,
    causes.is_here and not causes.was_here as appeared,
    causes.was_here and not causes.is_here as disappeared,
    internal.round_points(causes.current_after - causes.current_before) as points,
    internal.round_points(causes.max_after - causes.max_before) as points_max,
    causes.score_max_after as score_max,
    causes.fixed as resources_fixed,
    causes.healthy_after + causes.unhealthy_after - causes.healthy_before - causes.unhealthy_before
        as resources_more,
    causes.points_by_fixes,
    causes.points_by_controls,
    causes.points_by_maximum,
    -- What is left is the resources that came and went, with the rounding of points and causes to two digits.
    internal.round_points(
        causes.current_after - causes.current_before - causes.points_by_fixes - causes.points_by_controls
        - causes.points_by_maximum
    ) as points_by_resources,
    -- Ten digits: rounded to four, those of many controls would not add up to the score's.
    round((
        causes.current_after - causes.current_before
        - causes.score_before / nullif(causes.score_max_before, 0) * (causes.max_after - causes.max_before)
    ) / nullif(causes.score_max_after, 0), 10) + 0 as percentage_change,
    causes.fetch_id,
    causes.run_id
from causes
left join internal.subscription_versions as entities using (subscription_version_id)
where causes.current_after <> causes.current_before
    or causes.max_after <> causes.max_before
    or causes.healthy_after <> causes.healthy_before
    or causes.unhealthy_after <> causes.unhealthy_before
    or causes.is_here <> causes.was_here;

comment on view posture.changes is 'One row: one control that moved between two neighbouring complete fetches of its subscription, and what each cause explains; the causes add up.';
comment on column posture.changes.observed_at is 'When it was observed, UTC.';
comment on column posture.changes.day is 'The day (UTC) of observed_at.';
comment on column posture.changes.previous_observed_at is 'When the fetch before was made, UTC.';
comment on column posture.changes.tenant_id is
    'The Entra tenant that the subscription belonged to then: a GUID, lower case.';
comment on column posture.changes.subscription_id is 'The subscription, lower case.';
comment on column posture.changes.subscription_name is
    'The subscription''s name at that time; null where it was not known.';
comment on column posture.changes.score is 'The name of the score: ascScore, which totals count, or another beside it.';
comment on column posture.changes.control_id is 'The control''s name: the GUID of its definition.';
comment on column posture.changes.control is 'The control''s display name.';
comment on column posture.changes.appeared is 'Whether the fetch before had not seen the control.';
comment on column posture.changes.disappeared is 'Whether this fetch no longer saw the control.';
comment on column posture.changes.points is 'Points gained since the fetch before; negative: lost.';
comment on column posture.changes.points_max is 'Points that could be reached, more than before; negative: fewer.';
comment on column posture.changes.score_max is
    'Points that the score can reach from then on: points / score_max is their part of its percentage.';
comment on column posture.changes.resources_fixed is 'Resources fixed; negative: broken.';
comment on column posture.changes.resources_more is 'Resources that count, more than before; negative: fewer.';
comment on column posture.changes.points_by_fixes is 'Points moved by resources fixed or broken.';
comment on column posture.changes.points_by_controls is 'Points moved since the control appeared or disappeared.';
comment on column posture.changes.points_by_maximum is 'Points moved by another maximum.';
comment on column posture.changes.points_by_resources is
    'Points moved by resources that came or went, rounding included.';
comment on column posture.changes.percentage_change is
    'The part of this change in the move of the score''s percentage: they add up to it.';
comment on column posture.changes.fetch_id is 'The fetch that saw it, as in raw.fetches.';
comment on column posture.changes.run_id is 'The Dagster run that read it.';
