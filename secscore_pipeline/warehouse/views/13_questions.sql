-- Common questions as macros: from posture.score_trend('payments-prod'). A subscription is named by its id or its name, a day
-- is one of UTC.

-- One row: the id of one subscription of that name or id, in any case, now or before. None is an error that names the
-- nearest ones: an empty answer would be read as "nothing to do".
create or replace macro posture.find_subscriptions(subscription) as table
with known_names as (
    select subscription_id, name
    from internal.subscription_versions
    union
    select subscription_id, null
    from raw.fetches
),
matches as (
    select distinct subscription_id
    from known_names
    where lower(subscription) in (subscription_id, lower(name))
),
names as (
    select distinct name
    from known_names
    where name is not null
),
nearest_names as (
    select name
    from names
    order by jaro_winkler_similarity(lower(name), lower(coalesce(subscription, ''))) desc, name
    limit 3
),
suggestions as (
    select string_agg(name, ', ') as names
    from nearest_names
)
select subscription_id, name as subscription_name
from matches
left join posture.entities using (subscription_id)
union all
select error(
    'No such subscription: ' || coalesce(subscription, 'null')
    || coalesce('. The nearest names: ' || names, '') || '.'
), null
from suggestions
where not exists (from matches);

-- One row: one score of one subscription, as it last was on a day.
create or replace macro posture.scores_on(asked_day) as table
select
    tenant_id,
    subscription_id,
    subscription_name,
    score,
    "current",
    "max",
    percentage,
    percent,
    weight,
    status,
    observed_at
from posture.score_history
where day = asked_day
    and is_last_of_day
order by percentage nulls last, subscription_id, score;

-- One row: one score of one subscription that had it on both days, and how far it moved between them.
create or replace macro posture.score_changes(first_day, last_day) as table
select
    later.tenant_id,
    later.subscription_id,
    later.subscription_name,
    score,
    earlier.percentage as percentage_before,
    later.percentage,
    internal.round_percentage(later.percentage - earlier.percentage) as percentage_change,
    earlier.percent as percent_before,
    later.percent,
    internal.as_percent(later.percentage - earlier.percentage) as percent_change
from posture.scores_on(first_day) as earlier
join posture.scores_on(last_day) as later using (subscription_id, score)
order by percentage_change nulls last, later.subscription_id, score;

-- One row: one day of one subscription's score.
create or replace macro posture.score_trend(subscription) as table
select day, score, "current", "max", percentage, percent, status, observed_at, subscription_id, subscription_name
from posture.score_history
where is_last_of_day
    and subscription_id in (select named.subscription_id from posture.find_subscriptions(subscription) as named)
order by score, day;

-- One row: one control of one subscription with a potential increase, most points first.
create or replace macro posture.potential_increase(subscription) as table
select
    control,
    potential_increase,
    unhealthy_resources,
    points_per_resource,
    potential_increase_percentage,
    potential_increase_percent,
    score,
    observed_at,
    subscription_id,
    subscription_name
from posture.opportunities
where subscription_id in (select named.subscription_id from posture.find_subscriptions(subscription) as named)
order by potential_increase desc, control;

-- One row: one control that moved a subscription's score since a day, and by what; the causes add up to the points.
create or replace macro posture.change_causes(subscription, since_day) as table
select
    changes.day,
    changes.control,
    changes.points,
    changes.points_by_fixes,
    changes.points_by_resources,
    changes.points_by_maximum,
    changes.points_by_controls,
    changes.resources_fixed,
    changes.percentage_change,
    changes.score,
    changes.subscription_id,
    changes.subscription_name
from posture.changes as changes
where changes.day >= since_day
    and changes.subscription_id in (
        select named.subscription_id from posture.find_subscriptions(subscription) as named
    )
order by changes.day, abs(changes.points) desc;

-- A macro's comment: what one row is; a line for each argument, with its type; and an example.
comment on macro table posture.find_subscriptions is
    'One row: the id and the name of one subscription of that name or id, in any case; an error that names the nearest where there is none.
subscription VARCHAR: name or id of a subscription, in any case
Example: from posture.find_subscriptions(''payments-prod'');';
comment on macro table posture.scores_on is
    'One row: one score of one subscription, as it last was on a day.
asked_day DATE: a day of UTC, as year-month-day
Example: from posture.scores_on(''2026-11-01'');';
comment on macro table posture.score_changes is
    'One row: one score of one subscription that had it on both days, and how far it moved between them.
first_day DATE: the earlier day of UTC, as year-month-day
last_day DATE: the later day of UTC, as year-month-day
Example: from posture.score_changes(''2026-11-01'', ''2026-11-30'');';
comment on macro table posture.score_trend is
    'One row: one day of one subscription''s score.
subscription VARCHAR: name or id of a subscription, in any case
Example: from posture.score_trend(''payments-prod'');';
comment on macro table posture.potential_increase is
    'One row: one control of one subscription with a potential increase, most points first.
subscription VARCHAR: name or id of a subscription, in any case
Example: from posture.potential_increase(''payments-prod'');';
comment on macro table posture.change_causes is
    'One row: one control that moved a subscription''s score since a day, and by what; the causes add up to the points.
subscription VARCHAR: name or id of a subscription, in any case
since_day DATE: the first day of UTC that counts, as year-month-day
Example: from posture.change_causes(''payments-prod'', ''2026-11-01'');';
