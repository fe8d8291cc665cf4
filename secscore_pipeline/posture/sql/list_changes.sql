-- One row: one control of a tenant that moved its score from one day (UTC) to another, and what moved it: percentage points
-- of the tenant's score, by Microsoft's weights; the largest move first. A control counts in the subscriptions that had a
-- score on both days. control_id is null for the rest of the move: subscriptions that came or went, and other weights.
with periods as (
    select unnest($tenants) as tenant_id, unnest($first_days) as first_day, unnest($last_days) as last_day
),
daily_scores as (
    select
        tenant_id,
        subscription_id,
        day,
        "current" / "max" as percentage,
        weight / nullif(sum(weight) over (partition by tenant_id, day), 0) as share
    from posture.daily_score
    where lower(score) = 'ascscore'
        and list_contains(list_concat($first_days, $last_days), day)
),
compared_scores as (
    select
        tenant_id,
        daily_scores.subscription_id,
        any_value(periods.first_day) as first_day,
        any_value(periods.last_day) as last_day,
        any_value(daily_scores.share) filter (where daily_scores.day = periods.first_day) as share_before,
        any_value(daily_scores.share) filter (where daily_scores.day = periods.last_day) as share,
        any_value(daily_scores.percentage) filter (where daily_scores.day = periods.first_day) as percentage_before,
        any_value(daily_scores.percentage) filter (where daily_scores.day = periods.last_day) as percentage
    from daily_scores
    join periods using (tenant_id)
    group by tenant_id, daily_scores.subscription_id
),
weighted_changes as (
    select
        tenant_id,
        compared.subscription_id,
        changes.control_id,
        changes.control,
        changes.resources_fixed,
        100 * compared.share * changes.percentage_change as move,
        100 * compared.share * changes.points_by_fixes / nullif(changes.score_max, 0) as move_by_fixes,
        100 * compared.share * changes.points_by_resources / nullif(changes.score_max, 0) as move_by_resources,
        changes.appeared or changes.disappeared as is_other_control
    from posture.changes as changes
    join compared_scores as compared using (tenant_id, subscription_id)
    where changes.score = 'ascScore'
        and changes.day > list_min($first_days)
        and changes.day > compared.first_day
        and changes.day <= compared.last_day
        and compared.share is not null
        and compared.share_before is not null
        and changes.percentage_change is not null
),
control_moves as (
    select
        tenant_id,
        control_id,
        any_value(control) as control,
        sum(move) as move,
        sum(move_by_fixes) as move_by_fixes,
        sum(move_by_resources) as move_by_resources,
        -- What is left is the maximum: of a control that stayed, or of one that the score has no more or had not before.
        coalesce(sum(move - move_by_fixes - move_by_resources) filter (where not is_other_control), 0)
            as move_by_maximum,
        coalesce(sum(move - move_by_fixes - move_by_resources) filter (where is_other_control), 0)
            as move_by_controls,
        coalesce(sum(resources_fixed) filter (where resources_fixed > 0), 0) as resources_fixed,
        coalesce(-sum(resources_fixed) filter (where resources_fixed < 0), 0) as resources_broken,
        count(distinct subscription_id) as subscriptions
    from weighted_changes
    group by tenant_id, control_id
    having sum(abs(move)) > 1e-9
),
tenant_moves as (
    select
        tenant_id,
        100 * (coalesce(sum(share * percentage), 0) - coalesce(sum(share_before * percentage_before), 0)) as move,
        count(*) filter (where share_before is null) as subscriptions_came,
        count(*) filter (where share is null) as subscriptions_went
    from compared_scores
    group by tenant_id
),
explained_moves as (
    select tenant_id, sum(move) as move
    from control_moves
    group by tenant_id
),
moves as (
    select *, 0 as subscriptions_came, 0 as subscriptions_went
    from control_moves
    union all by name
    select
        tenant_id,
        tenant_moves.move - coalesce(explained_moves.move, 0) as move,
        tenant_moves.subscriptions_came,
        tenant_moves.subscriptions_went
    from tenant_moves
    left join explained_moves using (tenant_id)
)
select
    tenant_id,
    control_id,
    control,
    move,
    move_by_fixes,
    move_by_resources,
    move_by_maximum,
    move_by_controls,
    resources_fixed,
    resources_broken,
    subscriptions,
    subscriptions_came,
    subscriptions_went
from moves
order by tenant_id, control_id is null, abs(move) desc, control;
