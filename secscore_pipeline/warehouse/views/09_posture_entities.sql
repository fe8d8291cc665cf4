-- One row: one subscription as Azure lists it now, or listed it last.
create or replace view posture.entities as
with newest as (
    select
        feed,
        subscription_id,
        max_by(is_listed, subscription_version_id) as is_listed,
        max(subscription_version_id) filter (where is_listed) as subscription_version_id,
        min(listed_at) as first_listed_at
    from internal.subscription_versions
    group by feed, subscription_id
)
select
    subscription_id,
    entities.name as subscription_name,
    entities.tenant_id,
    entities.name,
    entities.state,
    entities.owner,
    entities.tags,
    entities.management_groups,
    array_to_string(list_transform(entities.management_groups, lambda one: one.name), ' / ') as management_group_path,
    newest.is_listed,
    newest.first_listed_at,
    entities.listed_at
from newest
join internal.subscription_versions as entities using (subscription_version_id, feed, subscription_id)
-- Two feeds may list one subscription: the one that still does knows better.
qualify row_number() over (
    partition by subscription_id order by newest.is_listed desc, subscription_version_id desc
) = 1;

-- One row: the weighted score of the subscriptions that had a tag on a day, with the value they had then.
create or replace view posture.tag_score as
select
    day,
    cloud_partition,
    tenant_id,
    tags.tag.key as tag,
    tags.tag.value as value,
    score,
    internal.round_percentage(posture.weighted("current" / "max", weight)) as percentage,
    internal.as_percent(posture.weighted("current" / "max", weight)) as percent,
    internal.round_points(sum("current")) as points,
    internal.round_points(sum("max")) as points_max,
    sum(weight) as weight,
    count(*) as subscriptions
from posture.daily_score
join (
    select subscription_version_id, unnest(map_entries(tags)) as tag
    from internal.subscription_versions
) as tags using (subscription_version_id)
group by day, cloud_partition, tenant_id, tag, value, score;

-- One row: the weighted score of the subscriptions that lay in a management group on a day, at any depth.
create or replace view posture.management_group_score as
select
    day,
    cloud_partition,
    tenant_id,
    places.place.id as management_group_id,
    any_value(places.place.name order by subscription_version_id desc) as management_group,
    score,
    internal.round_percentage(posture.weighted("current" / "max", weight)) as percentage,
    internal.as_percent(posture.weighted("current" / "max", weight)) as percent,
    internal.round_points(sum("current")) as points,
    internal.round_points(sum("max")) as points_max,
    sum(weight) as weight,
    count(*) as subscriptions
from posture.daily_score
join (
    select subscription_version_id, unnest(management_groups) as place
    from internal.subscription_versions
) as places using (subscription_version_id)
group by day, cloud_partition, tenant_id, management_group_id, score;

comment on view posture.entities is 'One row: one subscription as Azure lists it now, or listed it last: its name, its owner, where it lies.';
comment on column posture.entities.subscription_id is 'The subscription, lower case.';
comment on column posture.entities.subscription_name is 'The same as name, under the column name of the other views.';
comment on column posture.entities.tenant_id is 'The Entra tenant that it belongs to: a GUID, lower case.';
comment on column posture.entities.name is 'What the subscription is called; null where it is not known.';
comment on column posture.entities.state is
    'Its state as Azure lists it: Enabled, Warned, PastDue, Disabled or Deleted.';
comment on column posture.entities.owner is 'The value of the tag that names its owner (SECSCORE_OWNER_TAG).';
comment on column posture.entities.tags is 'Its tags.';
comment on column posture.entities.management_groups is
    'The management groups it lies in, outermost first, the top group left out; null where unknown.';
comment on column posture.entities.management_group_path is
    'The names of the management groups it lies in, outermost first.';
comment on column posture.entities.is_listed is
    'Whether the newest list still holds it; false: this is how it was listed last.';
comment on column posture.entities.first_listed_at is 'When it was first listed, UTC.';
comment on column posture.entities.listed_at is 'When it was last listed, or found to be no longer listed, UTC.';
comment on view posture.tag_score is 'One row: the weighted score, on a day (UTC), of the subscriptions that had a tag with a value then.';
comment on column posture.tag_score.day is 'The day, UTC.';
comment on column posture.tag_score.cloud_partition is
    'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column posture.tag_score.tenant_id is 'The Entra tenant: a GUID, lower case.';
comment on column posture.tag_score.tag is 'The tag''s name.';
comment on column posture.tag_score.value is 'The tag''s value.';
comment on column posture.tag_score.score is
    'The name of the score: ascScore, which totals count, or another beside it.';
comment on column posture.tag_score.percentage is
    'The average of the subscriptions'' percentages by weight, 0..1, rounded to four digits.';
comment on column posture.tag_score.percent is 'percentage for people: 0..100.';
comment on column posture.tag_score.points is 'Points of all subscriptions together.';
comment on column posture.tag_score.points_max is
    'Points that all subscriptions together can reach; percentage is weighted, so it is not points / points_max.';
comment on column posture.tag_score.weight is 'Sum of the subscriptions'' weights.';
comment on column posture.tag_score.subscriptions is 'Subscriptions with the tag and value that had a score that day.';
comment on view posture.management_group_score is 'One row: the weighted score, on a day (UTC), of the subscriptions that lay in a management group then, at any depth.';
comment on column posture.management_group_score.day is 'The day, UTC.';
comment on column posture.management_group_score.cloud_partition is
    'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column posture.management_group_score.tenant_id is 'The Entra tenant: a GUID, lower case.';
comment on column posture.management_group_score.management_group_id is 'The management group''s id.';
comment on column posture.management_group_score.management_group is 'The management group''s display name.';
comment on column posture.management_group_score.score is
    'The name of the score: ascScore, which totals count, or another beside it.';
comment on column posture.management_group_score.percentage is
    'The average of the subscriptions'' percentages by weight, 0..1, rounded to four digits.';
comment on column posture.management_group_score.percent is 'percentage for people: 0..100.';
comment on column posture.management_group_score.points is 'Points of all subscriptions together.';
comment on column posture.management_group_score.points_max is
    'Points that all subscriptions together can reach; percentage is weighted, so it is not points / points_max.';
comment on column posture.management_group_score.weight is 'Sum of the subscriptions'' weights.';
comment on column posture.management_group_score.subscriptions is
    'Subscriptions in the management group that had a score that day.';
