-- Common questions as macros: from posture.path_of('payments-prod'). A subscription is named by its id or its name, a day
-- is one of UTC.

-- One row: one score of one subscription, as it last was on a day.
create or replace macro posture.scores_on(asked_day) as table
select tenant_id, subscription_id, subscription_name, score, "current", "max", fraction, weight, status, observed_at
from posture.score_history
where day = asked_day
    and is_last_of_day
order by fraction nulls last, subscription_id, score;

-- One row: one score of one subscription that had it on both days, and how far it moved between them.
create or replace macro posture.moved_between(first_day, last_day) as table
select
    now_seen.tenant_id,
    now_seen.subscription_id,
    now_seen.subscription_name,
    score,
    before.fraction as fraction_before,
    now_seen.fraction,
    now_seen.fraction - before.fraction as fraction_won
from posture.scores_on(first_day) as before
join posture.scores_on(last_day) as now_seen using (subscription_id, score)
order by fraction_won nulls last, now_seen.subscription_id, score;

-- One row: one day of one subscription's score.
create or replace macro posture.path_of(subscription) as table
select day, score, "current", "max", fraction, status, observed_at
from posture.score_history
where is_last_of_day
    and lower(subscription) in (subscription_id, lower(subscription_name))
order by score, day;

-- One row: one control of one subscription with points to win, most points first.
create or replace macro posture.to_win(subscription) as table
select control, points_to_win, unhealthy_resources, points_per_resource, fraction_to_win, score, observed_at
from posture.opportunities
where lower(subscription) in (subscription_id, lower(subscription_name))
order by points_to_win desc, control;

-- One row: one control that moved a subscription's score since a day, and by what; the causes add up to the points.
create or replace macro posture.moved_by(subscription, since_day) as table
select
    changes.day,
    changes.control,
    changes.points,
    changes.points_by_fixes,
    changes.points_by_resources,
    changes.points_by_maximum,
    changes.points_by_controls,
    changes.resources_fixed,
    changes.fraction,
    changes.score
from posture.changes as changes
left join posture.entities as entities using (subscription_id)
where changes.day >= since_day
    and lower(subscription) in (subscription_id, lower(entities.name))
order by changes.day, abs(changes.points) desc;

comment on macro table posture.scores_on is 'One row: one score of one subscription, as it last was on a day.';
comment on macro table posture.moved_between is
    'One row: one score of one subscription that had it on both days, and how far it moved between them.';
comment on macro table posture.path_of is 'One row: one day of one subscription''s score.';
comment on macro table posture.to_win is 'One row: one control of one subscription with points to win, most points first.';
comment on macro table posture.moved_by is
    'One row: one control that moved a subscription''s score since a day, and by what; the causes add up to the points.';
