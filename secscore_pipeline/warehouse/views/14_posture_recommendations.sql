-- Recommendations: which resources, since when, how hard, and what to do. An assessment is one recommendation on one
-- resource. Points are those of the controls: only Microsoft's own numbers count.

-- One row: one assessment as the newest complete fetch that read its subscription has it, without its metadata and the
-- fetch: who counts assessments joins those to what is counted, and leaves out what has left the scope so.
create or replace macro internal.current_assessment_versions() as table
select
    spans.subscription_id,
    parsed.*,
    coalesce(parsed.first_evaluated_at, make_timestamptz(parsed.first_seen_time * 1000)) as first_seen_at,
    coalesce(
        parsed.status_changed_at, make_timestamptz(parsed.modified_time * 1000), parsed.first_evaluated_at,
        make_timestamptz(parsed.first_seen_time * 1000)
    ) as since
from internal.record_spans as spans
join internal.parsed_assessments as parsed using (version_id)
-- Not by the event type too, which the join tells as well: DuckDB would expect twice as many spans, and keep the longer rows
-- of the other table in memory in place of theirs.
where spans.ended_fetch_id is null
    and parsed.finding_id is not null;

-- One row: one assessment of a subscription in scope, as it is now, with its metadata.
create or replace view internal.current_assessments as
select
    newest.cloud_partition,
    newest.feed,
    newest.tenant_id,
    versions.subscription_id,
    newest.subscription_version_id,
    versions.finding_id,
    versions.version_id,
    versions.recommendation_id,
    coalesce(versions.display_name, metadata.display_name, versions.recommendation_id) as recommendation,
    versions.state,
    versions.status_code,
    versions.cause,
    versions.status_description,
    versions.resource_id,
    coalesce(lower(versions.resource_id), cast(versions.finding_id as varchar)) as resource_key,
    versions.resource_name,
    versions.resource_type,
    versions.source,
    versions.risk_level,
    versions.portal_url,
    versions.first_seen_at,
    versions.since,
    metadata.severity,
    metadata.effort,
    metadata.user_impact,
    metadata.description,
    metadata.remediation,
    coalesce(metadata.is_preview, false) as is_preview,
    newest.observed_at
from internal.current_assessment_versions() as versions
join internal.current_fetches as newest
    on newest.event_type = 'assessments'
    and newest.subscription_id = versions.subscription_id
left join internal.recommendations as metadata
    on metadata.tenant_id = newest.tenant_id
    and metadata.recommendation_id = versions.recommendation_id;

-- One row: one recommendation in one secure score control of one subscription, as it is now, with the control's numbers.
create or replace view internal.current_control_recommendations as
select
    observations.subscription_id,
    internal.spell_id(observations.name) as control_id,
    observations.display_name as control,
    observations."current",
    observations."max",
    coalesce(observations.healthy, 0) as healthy,
    coalesce(observations.unhealthy, 0) as unhealthy,
    observations."max" / nullif(observations.healthy + observations.unhealthy, 0) as points_per_resource,
    lower(unnest(definitions.definition.check_uids)) as recommendation_id
from ocsf.current_observations as observations
join internal.control_definitions as definitions using (definition_id)
where observations.is_control
    and lower(observations.score_name) = 'ascscore';

-- One row: one resource that is unhealthy in one secure score control, and how many of the recommendations that count are
-- unhealthy on it. Previews never count.
create or replace view internal.unhealthy_control_resources as
select
    assessments.subscription_id,
    members.control_id,
    any_value(members.control) as control,
    any_value(members.points_per_resource) as points_per_resource,
    assessments.resource_key,
    count(*) as recommendations,
    any_value(assessments.finding_id) as finding_id,
    any_value(assessments.recommendation_id) as recommendation_id,
    max(assessments.since) as last_changed_at
from internal.current_assessments as assessments
join internal.current_control_recommendations as members using (subscription_id, recommendation_id)
where not assessments.is_preview
    and assessments.state = 'unhealthy'
group by assessments.subscription_id, members.control_id, assessments.resource_key;

-- One row: one resource that the fix of one recommendation would turn healthy in a control, and the points that gains.
create or replace view posture.last_unhealthy as
select
    assessments.cloud_partition,
    assessments.feed,
    assessments.tenant_id,
    assessments.subscription_id,
    entities.name as subscription_name,
    entities.owner,
    resources.control_id,
    resources.control,
    assessments.recommendation_id,
    assessments.recommendation,
    assessments.severity,
    assessments.effort,
    assessments.user_impact,
    assessments.resource_id,
    assessments.resource_name,
    assessments.resource_type,
    internal.resource_group_of(assessments.resource_id) as resource_group,
    assessments.since,
    round(resources.points_per_resource, 4) as potential_increase,
    assessments.observed_at
from internal.unhealthy_control_resources as resources
join internal.current_assessments as assessments using (finding_id)
left join internal.subscription_versions as entities using (subscription_version_id)
where resources.recommendations = 1
    and assessments.state = 'unhealthy';

-- One row: one recommendation in one control of one subscription: the controls that it is part of, most points first.
create or replace view internal.recommendation_memberships as
select
    subscription_id,
    recommendation_id,
    -- Sorted as a list: to sort the rows of each group takes ten times as long.
    list_transform(
        list_sort(list({'rank': -"max", 'control_id': control_id, 'control': control})), lambda member: member.control
    ) as controls
from internal.current_control_recommendations
group by subscription_id, recommendation_id;

-- One row: one recommendation in one subscription in scope, as it is now. Texts are joined last: they are long, and the
-- same for every resource.
create or replace view posture.recommendations as
with counted_assessments as (
    select
        subscription_id,
        recommendation_id,
        max(version_id) as version_id,
        count(*) filter (where state = 'unhealthy') as unhealthy_resources,
        count(*) filter (where state = 'healthy') as healthy_resources,
        count(*) filter (where state = 'not_applicable') as not_applicable_resources,
        count(*) filter (where state = 'exempt') as exempt_resources,
        min(since) filter (where state = 'unhealthy') as oldest_since
    from internal.current_assessment_versions()
    group by subscription_id, recommendation_id
),
increases as (
    select subscription_id, recommendation_id, sum(points_per_resource) as points
    from internal.unhealthy_control_resources
    where recommendations = 1
    group by subscription_id, recommendation_id
),
score_maxima as (
    select subscription_id, "max" as score_max
    from posture.current_scores
    where score = 'ascScore'
),
described_recommendations as (
    select
        counted.*,
        newest.cloud_partition,
        newest.feed,
        newest.tenant_id,
        newest.subscription_version_id,
        newest.observed_at,
        coalesce(parsed.display_name, metadata.display_name, counted.recommendation_id) as recommendation,
        metadata.severity,
        metadata.effort,
        metadata.user_impact,
        metadata.remediation,
        coalesce(metadata.is_preview, false) as is_preview,
        memberships.controls,
        memberships.controls is not null and not coalesce(metadata.is_preview, false) as is_scored,
        increases.points,
        score_maxima.score_max
    from counted_assessments as counted
    join internal.current_fetches as newest
        on newest.event_type = 'assessments'
        and newest.subscription_id = counted.subscription_id
    join internal.parsed_assessments as parsed using (version_id)
    left join internal.recommendations as metadata
        on metadata.tenant_id = newest.tenant_id
        and metadata.recommendation_id = counted.recommendation_id
    left join internal.recommendation_memberships as memberships
        on memberships.subscription_id = counted.subscription_id
        and memberships.recommendation_id = counted.recommendation_id
    left join increases
        on increases.subscription_id = counted.subscription_id
        and increases.recommendation_id = counted.recommendation_id
    left join score_maxima on score_maxima.subscription_id = counted.subscription_id
)
select
    described.cloud_partition,
    described.feed,
    described.tenant_id,
    described.subscription_id,
    entities.name as subscription_name,
    entities.owner,
    described.recommendation_id,
    described.recommendation,
    described.controls[1] as control,
    coalesce(described.controls, []) as controls,
    described.is_scored,
    described.is_preview,
    described.severity,
    described.effort,
    described.user_impact,
    described.unhealthy_resources,
    described.healthy_resources,
    described.not_applicable_resources,
    described.exempt_resources,
    described.oldest_since,
    internal.day_of(described.observed_at) - internal.day_of(described.oldest_since) as oldest_days,
    if(described.is_scored, internal.round_points(coalesce(described.points, 0)), null) as potential_increase,
    if(described.is_scored, internal.percent_of(coalesce(described.points, 0), described.score_max), null)
        as potential_increase_percent,
    described.remediation,
    described.observed_at
from described_recommendations as described
left join internal.subscription_versions as entities using (subscription_version_id);

-- One row: one resource that is unhealthy in one recommendation now.
create or replace view posture.unhealthy_resources as
select
    assessments.cloud_partition,
    assessments.feed,
    assessments.tenant_id,
    assessments.subscription_id,
    entities.name as subscription_name,
    entities.owner,
    assessments.recommendation_id,
    assessments.recommendation,
    memberships.controls[1] as control,
    memberships.controls is not null and not assessments.is_preview as is_scored,
    assessments.is_preview,
    assessments.severity,
    assessments.effort,
    assessments.user_impact,
    assessments.resource_id,
    assessments.resource_name,
    assessments.resource_type,
    internal.resource_group_of(assessments.resource_id) as resource_group,
    assessments.since,
    internal.day_of(assessments.observed_at) - internal.day_of(assessments.since) as days,
    assessments.first_seen_at,
    assessments.risk_level,
    assessments.cause,
    assessments.remediation,
    coalesce(
        assessments.portal_url,
        internal.portal_url_of(assessments.cloud_partition, assessments.tenant_id, assessments.resource_id)
    ) as portal_url,
    assessments.observed_at
from internal.current_assessments as assessments
left join internal.recommendation_memberships as memberships using (subscription_id, recommendation_id)
left join internal.subscription_versions as entities using (subscription_version_id)
where assessments.state = 'unhealthy';

-- One row: one change of one recommendation on one resource, and what it was before.
create or replace view posture.recommendation_changes as
select
    fetches.observed_at,
    internal.day_of(fetches.observed_at) as day,
    fetches.tenant_id,
    fetches.subscription_id,
    entities.name as subscription_name,
    parsed.recommendation_id,
    coalesce(parsed.display_name, metadata.display_name, parsed.recommendation_id) as recommendation,
    metadata.severity,
    parsed.resource_id,
    parsed.resource_name,
    parsed.resource_type,
    internal.resource_group_of(parsed.resource_id) as resource_group,
    changes.change,
    previous.state as state_before,
    if(changes.change in ('went', 'left'), null, parsed.state) as state,
    parsed.cause,
    parsed.status_changed_at,
    changes.fetch_id,
    fetches.run_id
from internal.recommendation_events as changes
join internal.fetches_and_departures as fetches using (fetch_id)
join internal.parsed_assessments as parsed using (version_id)
left join internal.parsed_assessments as previous on previous.version_id = changes.previous_version_id
left join internal.recommendations as metadata
    on metadata.tenant_id = fetches.tenant_id
    and metadata.recommendation_id = parsed.recommendation_id
left join internal.subscription_versions as entities using (subscription_version_id)
where changes.change <> 'updated'
    and fetches.event_type = 'assessments';

-- One row: how many resources one recommendation had in each state in one subscription, from one fetch that changed it on.
create or replace view posture.recommendation_history as
with moves as (
    select
        changes.fetch_id,
        changes.recommendation_id,
        any_value(changes.display_name) as recommendation,
        sum(internal.counts_as(changes.change not in ('went', 'left') and state = 'unhealthy')
            - internal.counts_as(previous_state = 'unhealthy')) as unhealthy,
        sum(internal.counts_as(changes.change not in ('went', 'left') and state = 'healthy')
            - internal.counts_as(previous_state = 'healthy')) as healthy,
        sum(internal.counts_as(changes.change not in ('went', 'left') and state = 'not_applicable')
            - internal.counts_as(previous_state = 'not_applicable')) as not_applicable,
        sum(internal.counts_as(changes.change not in ('went', 'left') and state = 'exempt')
            - internal.counts_as(previous_state = 'exempt')) as exempt
    from (
        select
            events.*,
            now.recommendation_id,
            now.display_name,
            now.state,
            previous.state as previous_state
        from internal.recommendation_events as events
        join internal.parsed_assessments as now using (version_id)
        left join internal.parsed_assessments as previous on previous.version_id = events.previous_version_id
    ) as changes
    where changes.change <> 'updated'
    group by changes.fetch_id, changes.recommendation_id
)
select
    fetches.observed_at,
    internal.day_of(fetches.observed_at) as day,
    fetches.tenant_id,
    fetches.subscription_id,
    entities.name as subscription_name,
    moves.recommendation_id,
    coalesce(moves.recommendation, moves.recommendation_id) as recommendation,
    sum(moves.unhealthy) over history as unhealthy_resources,
    sum(moves.healthy) over history as healthy_resources,
    sum(moves.not_applicable) over history as not_applicable_resources,
    sum(moves.exempt) over history as exempt_resources,
    fetches.run_id
from moves
join internal.fetches_and_departures as fetches using (fetch_id)
left join internal.subscription_versions as entities using (subscription_version_id)
where fetches.event_type = 'assessments'
window history as (
    partition by fetches.subscription_id, moves.recommendation_id order by moves.fetch_id rows unbounded preceding
);

-- One row: how long the findings of one severity in one tenant stayed open before they were fixed, and how old the open
-- ones are. Azure's own dates count where it gives them. Texts are joined last: what is sorted is narrow.
create or replace view posture.time_to_fix as
with state_changes as (
    select
        changes.finding_id,
        changes.fetch_id,
        changes.version_id,
        changes.change not in ('went', 'left') and parsed.state = 'unhealthy' as is_open,
        changes.change = 'fixed' as is_fixed,
        coalesce(
            if(changes.change not in ('went', 'left'), parsed.status_changed_at, null), fetches.observed_at
        ) as changed_at
    from internal.recommendation_events as changes
    join internal.fetches_and_departures as fetches using (fetch_id)
    join internal.parsed_assessments as parsed using (version_id)
    where changes.change <> 'updated'
        and fetches.event_type = 'assessments'
        -- What came healthy neither begins a period nor ends one.
        and (changes.previous_version_id is not null or parsed.state = 'unhealthy')
),
periods as (
    select
        *,
        lead(changed_at) over history as ended_at,
        lead(is_fixed) over history as ends_fixed
    from state_changes
    window history as (partition by finding_id order by fetch_id)
),
open_periods as (
    select
        fetches.tenant_id,
        coalesce(metadata.severity, 'Unknown') as severity,
        periods.ended_at is null as is_still_open,
        coalesce(periods.ends_fixed, false) as is_fixed,
        greatest(epoch(coalesce(periods.ended_at, newest.observed_at)) - epoch(periods.changed_at), 0) / 86400 as days
    from periods
    join raw.fetches as fetches using (fetch_id)
    join internal.parsed_assessments as parsed using (version_id)
    cross join (
        select max(observed_at) as observed_at
        from raw.fetches
        where event_type = 'assessments'
    ) as newest
    left join internal.recommendations as metadata
        on metadata.tenant_id = fetches.tenant_id
        and metadata.recommendation_id = parsed.recommendation_id
    where periods.is_open
)
select
    tenant_id,
    severity,
    count(*) filter (where is_fixed) as fixed,
    round(median(days) filter (where is_fixed), 1) as median_days,
    round(quantile_cont(days, 0.9) filter (where is_fixed), 1) as p90_days,
    count(*) filter (where is_still_open) as still_open,
    count(*) filter (where is_still_open and days < 7) as open_under_7_days,
    count(*) filter (where is_still_open and days >= 7 and days < 30) as open_7_to_30_days,
    count(*) filter (where is_still_open and days >= 30 and days < 90) as open_30_to_90_days,
    count(*) filter (where is_still_open and days >= 90) as open_over_90_days
from open_periods
group by tenant_id, severity;

comment on view internal.current_assessments is
    'One row: one recommendation on one resource of a subscription in scope, as the newest complete fetch has it.';
comment on column internal.current_assessments.cloud_partition is
    'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column internal.current_assessments.feed is 'The feed that read it.';
comment on column internal.current_assessments.tenant_id is 'The Entra tenant of the subscription: a GUID, lower case.';
comment on column internal.current_assessments.subscription_id is 'The subscription, lower case.';
comment on column internal.current_assessments.subscription_version_id is
    'How the subscription was listed last, as in internal.subscription_versions.';
comment on column internal.current_assessments.finding_id is 'The finding''s number in this database.';
comment on column internal.current_assessments.version_id is 'The record version, as in internal.record_versions.';
comment on column internal.current_assessments.recommendation_id is
    'The recommendation: the GUID that its assessments and its metadata share.';
comment on column internal.current_assessments.recommendation is 'The recommendation''s display name.';
comment on column internal.current_assessments.state is 'unhealthy, healthy, exempt, not_applicable or unknown.';
comment on column internal.current_assessments.status_code is
    'Healthy, Unhealthy, NotApplicable, or what Azure sent instead.';
comment on column internal.current_assessments.cause is
    'Why it has that status, such as Exempt or OffByPolicy, as received.';
comment on column internal.current_assessments.status_description is 'The same in a sentence, as received.';
comment on column internal.current_assessments.resource_id is 'The resource''s id, as received.';
comment on column internal.current_assessments.resource_key is
    'The same in lower case: Azure compares ids without regard to case.';
comment on column internal.current_assessments.resource_name is 'The resource''s name.';
comment on column internal.current_assessments.resource_type is 'The resource''s type.';
comment on column internal.current_assessments.source is
    'Where the resource is: Azure, Aws, Gcp, OnPremise or OnPremiseSql.';
comment on column internal.current_assessments.risk_level is
    'None, Low, Medium, High or Critical, as Defender CSPM rates the resource''s risk; null without it.';
comment on column internal.current_assessments.portal_url is
    'The assessment or its resource in the Azure portal; null where neither is known.';
comment on column internal.current_assessments.first_seen_at is
    'When Azure first evaluated it, else when this database first saw it, UTC.';
comment on column internal.current_assessments.since is
    'Since when it has its status: by Azure, else since this database saw it so, UTC.';
comment on column internal.current_assessments.severity is 'Low, Medium, High or Critical; null without metadata.';
comment on column internal.current_assessments.effort is
    'Effort of implementing it: Low, Moderate or High; null where Azure does not say.';
comment on column internal.current_assessments.user_impact is
    'Effect on users: Low, Moderate or High; null where Azure does not say.';
comment on column internal.current_assessments.description is 'What it is about, as plain text.';
comment on column internal.current_assessments.remediation is 'What to do, as plain text; null without metadata.';
comment on column internal.current_assessments.is_preview is 'Whether it is a preview, which never counts for a score.';
comment on column internal.current_assessments.observed_at is 'When it was observed, UTC.';
comment on view internal.current_control_recommendations is
    'One row: one recommendation in one secure score control of one subscription now, with the control''s numbers.';
comment on column internal.current_control_recommendations.subscription_id is 'The subscription, lower case.';
comment on column internal.current_control_recommendations.control_id is
    'The control''s name: the GUID of its definition.';
comment on column internal.current_control_recommendations.control is 'The control''s display name.';
comment on column internal.current_control_recommendations.current is 'Points reached.';
comment on column internal.current_control_recommendations.max is 'Points that can be reached.';
comment on column internal.current_control_recommendations.healthy is 'Healthy resources of the control.';
comment on column internal.current_control_recommendations.unhealthy is 'Unhealthy resources of the control.';
comment on column internal.current_control_recommendations.points_per_resource is
    'Points that one resource gains when it turns healthy.';
comment on column internal.current_control_recommendations.recommendation_id is
    'The recommendation: the GUID that its assessments and its metadata share.';
comment on view internal.unhealthy_control_resources is
    'One row: one resource that is unhealthy in one secure score control now, by the recommendations that count.';
comment on column internal.unhealthy_control_resources.subscription_id is 'The subscription, lower case.';
comment on column internal.unhealthy_control_resources.control_id is
    'The control''s name: the GUID of its definition.';
comment on column internal.unhealthy_control_resources.control is 'The control''s display name.';
comment on column internal.unhealthy_control_resources.points_per_resource is
    'Points that it gains when it turns healthy.';
comment on column internal.unhealthy_control_resources.resource_key is 'The resource''s id, lower case.';
comment on column internal.unhealthy_control_resources.recommendations is
    'How many recommendations of the control are unhealthy on it.';
comment on column internal.unhealthy_control_resources.finding_id is 'One of those findings.';
comment on column internal.unhealthy_control_resources.recommendation_id is 'The recommendation of that finding.';
comment on column internal.unhealthy_control_resources.last_changed_at is
    'When the status of one of them last changed, UTC.';
comment on view internal.recommendation_memberships is
    'One row: one recommendation of one subscription that is part of secure score controls.';
comment on column internal.recommendation_memberships.subscription_id is 'The subscription, lower case.';
comment on column internal.recommendation_memberships.recommendation_id is 'The recommendation, lower case.';
comment on column internal.recommendation_memberships.controls is
    'The names of its controls, that with the most points first.';
comment on view posture.last_unhealthy is
    'One row: one resource that one fix would turn healthy in a control: the one recommendation that is left, and the points that gains.';
comment on column posture.last_unhealthy.cloud_partition is
    'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column posture.last_unhealthy.feed is 'The feed that read it.';
comment on column posture.last_unhealthy.tenant_id is 'The Entra tenant of the subscription: a GUID, lower case.';
comment on column posture.last_unhealthy.subscription_id is 'The subscription, lower case.';
comment on column posture.last_unhealthy.subscription_name is
    'The subscription''s display name; null where it is not known.';
comment on column posture.last_unhealthy.owner is
    'The subscription''s owner: the value of the tag that SECSCORE_OWNER_TAG names.';
comment on column posture.last_unhealthy.control_id is 'The control''s name: the GUID of its definition.';
comment on column posture.last_unhealthy.control is 'The control''s display name.';
comment on column posture.last_unhealthy.recommendation_id is
    'The recommendation: the GUID that its assessments and its metadata share.';
comment on column posture.last_unhealthy.recommendation is 'The recommendation''s display name.';
comment on column posture.last_unhealthy.severity is 'Low, Medium, High or Critical; null without metadata.';
comment on column posture.last_unhealthy.effort is
    'Effort of implementing it: Low, Moderate or High; null where Azure does not say.';
comment on column posture.last_unhealthy.user_impact is
    'Effect on users: Low, Moderate or High; null where Azure does not say.';
comment on column posture.last_unhealthy.resource_id is 'The resource''s id, as received.';
comment on column posture.last_unhealthy.resource_name is 'The resource''s name.';
comment on column posture.last_unhealthy.resource_type is 'The resource''s type.';
comment on column posture.last_unhealthy.resource_group is
    'The resource group, lower case; null where the resource is in none.';
comment on column posture.last_unhealthy.since is
    'Since when it has its status: by Azure, else since this database saw it so, UTC.';
comment on column posture.last_unhealthy.potential_increase is
    'Points that the subscription gains in that control: max / (healthy + unhealthy).';
comment on column posture.last_unhealthy.observed_at is 'When it was observed, UTC.';
comment on view posture.recommendations is 'One row: one recommendation in one subscription in scope, as it is now.';
comment on column posture.recommendations.cloud_partition is
    'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column posture.recommendations.feed is 'The feed that read it.';
comment on column posture.recommendations.tenant_id is 'The Entra tenant of the subscription: a GUID, lower case.';
comment on column posture.recommendations.subscription_id is 'The subscription, lower case.';
comment on column posture.recommendations.subscription_name is
    'The subscription''s display name; null where it is not known.';
comment on column posture.recommendations.owner is
    'The subscription''s owner: the value of the tag that SECSCORE_OWNER_TAG names.';
comment on column posture.recommendations.recommendation_id is
    'The recommendation: the GUID that its assessments and its metadata share.';
comment on column posture.recommendations.recommendation is 'The recommendation''s display name.';
comment on column posture.recommendations.control is
    'The control with the most points that it is part of; null where it is in none.';
comment on column posture.recommendations.controls is
    'All controls that it is part of, that with the most points first.';
comment on column posture.recommendations.is_scored is
    'Whether it counts for the score: it is part of a control and no preview.';
comment on column posture.recommendations.is_preview is 'Whether it is a preview, which never counts for a score.';
comment on column posture.recommendations.severity is 'Low, Medium, High or Critical; null without metadata.';
comment on column posture.recommendations.effort is
    'Effort of implementing it: Low, Moderate or High; null where Azure does not say.';
comment on column posture.recommendations.user_impact is
    'Effect on users: Low, Moderate or High; null where Azure does not say.';
comment on column posture.recommendations.unhealthy_resources is 'Resources that are unhealthy in it.';
comment on column posture.recommendations.healthy_resources is 'Resources that are healthy in it.';
comment on column posture.recommendations.not_applicable_resources is 'Resources that it does not apply to.';
comment on column posture.recommendations.exempt_resources is 'Resources that somebody exempted from it.';
comment on column posture.recommendations.oldest_since is
    'Since when the resource that has been unhealthy longest is, UTC; null where none is.';
comment on column posture.recommendations.oldest_days is 'How many days that was before observed_at.';
comment on column posture.recommendations.potential_increase is
    'Points that the subscription gains when it is fixed on every resource and nothing else is: those of the resources in posture.last_unhealthy; null where it does not count.';
comment on column posture.recommendations.potential_increase_percent is
    'The same in percentage points of the subscription''s score.';
comment on column posture.recommendations.remediation is 'What to do, as plain text; null without metadata.';
comment on column posture.recommendations.observed_at is 'When it was observed, UTC.';
comment on view posture.unhealthy_resources is
    'One row: one resource that is unhealthy in one recommendation now: whose it is, since when, and what to do.';
comment on column posture.unhealthy_resources.cloud_partition is
    'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column posture.unhealthy_resources.feed is 'The feed that read it.';
comment on column posture.unhealthy_resources.tenant_id is 'The Entra tenant of the subscription: a GUID, lower case.';
comment on column posture.unhealthy_resources.subscription_id is 'The subscription, lower case.';
comment on column posture.unhealthy_resources.subscription_name is
    'The subscription''s display name; null where it is not known.';
comment on column posture.unhealthy_resources.owner is
    'The subscription''s owner: the value of the tag that SECSCORE_OWNER_TAG names.';
comment on column posture.unhealthy_resources.recommendation_id is
    'The recommendation: the GUID that its assessments and its metadata share.';
comment on column posture.unhealthy_resources.recommendation is 'The recommendation''s display name.';
comment on column posture.unhealthy_resources.control is
    'The control with the most points that it is part of; null where it is in none.';
comment on column posture.unhealthy_resources.is_scored is
    'Whether it counts for the score: it is part of a control and no preview.';
comment on column posture.unhealthy_resources.is_preview is 'Whether it is a preview, which never counts for a score.';
comment on column posture.unhealthy_resources.severity is 'Low, Medium, High or Critical; null without metadata.';
comment on column posture.unhealthy_resources.effort is
    'Effort of implementing it: Low, Moderate or High; null where Azure does not say.';
comment on column posture.unhealthy_resources.user_impact is
    'Effect on users: Low, Moderate or High; null where Azure does not say.';
comment on column posture.unhealthy_resources.resource_id is 'The resource''s id, as received.';
comment on column posture.unhealthy_resources.resource_name is 'The resource''s name.';
comment on column posture.unhealthy_resources.resource_type is 'The resource''s type.';
comment on column posture.unhealthy_resources.resource_group is
    'The resource group, lower case; null where the resource is in none.';
comment on column posture.unhealthy_resources.since is
    'Since when it has its status: by Azure, else since this database saw it so, UTC.';
comment on column posture.unhealthy_resources.days is 'How many days that was before observed_at.';
comment on column posture.unhealthy_resources.first_seen_at is
    'When Azure first evaluated it, else when this database first saw it, UTC.';
comment on column posture.unhealthy_resources.risk_level is
    'None, Low, Medium, High or Critical, as Defender CSPM rates the resource''s risk; null without it.';
comment on column posture.unhealthy_resources.cause is
    'Why it has that status, such as Exempt or OffByPolicy, as received.';
comment on column posture.unhealthy_resources.remediation is 'What to do, as plain text; null without metadata.';
comment on column posture.unhealthy_resources.portal_url is
    'The assessment or its resource in the Azure portal; null where neither is known.';
comment on column posture.unhealthy_resources.observed_at is 'When it was observed, UTC.';
comment on view posture.recommendation_changes is
    'One row: one change of one recommendation on one resource: which resources broke, were fixed, came, went or were exempted.';
comment on column posture.recommendation_changes.observed_at is 'When it was observed, UTC.';
comment on column posture.recommendation_changes.day is 'The day (UTC) of observed_at.';
comment on column posture.recommendation_changes.tenant_id is
    'The Entra tenant of the subscription: a GUID, lower case.';
comment on column posture.recommendation_changes.subscription_id is 'The subscription, lower case.';
comment on column posture.recommendation_changes.subscription_name is
    'The subscription''s name at that time; null where it was not known.';
comment on column posture.recommendation_changes.recommendation_id is
    'The recommendation: the GUID that its assessments and its metadata share.';
comment on column posture.recommendation_changes.recommendation is 'The recommendation''s display name.';
comment on column posture.recommendation_changes.severity is 'Low, Medium, High or Critical; null without metadata.';
comment on column posture.recommendation_changes.resource_id is 'The resource''s id, as received.';
comment on column posture.recommendation_changes.resource_name is 'The resource''s name.';
comment on column posture.recommendation_changes.resource_type is 'The resource''s type.';
comment on column posture.recommendation_changes.resource_group is
    'The resource group, lower case; null where the resource is in none.';
comment on column posture.recommendation_changes.change is
    'broke (became unhealthy), fixed, exempted, not_applicable, healthy, unknown, came, went, or left (with its subscription).';
comment on column posture.recommendation_changes.state_before is 'The state before; null where it came.';
comment on column posture.recommendation_changes.state is 'The state from then on; null where it is gone.';
comment on column posture.recommendation_changes.cause is
    'Why it has that status, such as Exempt or OffByPolicy, as received.';
comment on column posture.recommendation_changes.status_changed_at is
    'When the status changed, by Azure, UTC; null where it does not say.';
comment on column posture.recommendation_changes.fetch_id is 'The fetch that saw it, as in raw.fetches.';
comment on column posture.recommendation_changes.run_id is 'The Dagster run that read it.';
comment on view posture.recommendation_history is
    'One row: how many resources one recommendation had in each state in one subscription, from one fetch that changed it until the next.';
comment on column posture.recommendation_history.observed_at is 'When it was observed, UTC.';
comment on column posture.recommendation_history.day is 'The day (UTC) of observed_at.';
comment on column posture.recommendation_history.tenant_id is
    'The Entra tenant of the subscription: a GUID, lower case.';
comment on column posture.recommendation_history.subscription_id is 'The subscription, lower case.';
comment on column posture.recommendation_history.subscription_name is
    'The subscription''s name at that time; null where it was not known.';
comment on column posture.recommendation_history.recommendation_id is
    'The recommendation: the GUID that its assessments and its metadata share.';
comment on column posture.recommendation_history.recommendation is 'The recommendation''s display name.';
comment on column posture.recommendation_history.unhealthy_resources is 'Resources that are unhealthy in it.';
comment on column posture.recommendation_history.healthy_resources is 'Resources that are healthy in it.';
comment on column posture.recommendation_history.not_applicable_resources is 'Resources that it does not apply to.';
comment on column posture.recommendation_history.exempt_resources is 'Resources that somebody exempted from it.';
comment on column posture.recommendation_history.run_id is 'The Dagster run that read it.';
comment on view posture.time_to_fix is
    'One row: one severity in one tenant: how long findings stayed open before they were fixed, and how old the open ones are.';
comment on column posture.time_to_fix.tenant_id is 'The Entra tenant: a GUID, lower case.';
comment on column posture.time_to_fix.severity is 'Low, Medium, High, Critical, or Unknown without metadata.';
comment on column posture.time_to_fix.fixed is 'Findings that were fixed: each time counts.';
comment on column posture.time_to_fix.median_days is 'The median of the days that they were open.';
comment on column posture.time_to_fix.p90_days is 'The 90th percentile of the days that they were open.';
comment on column posture.time_to_fix.still_open is 'Findings that are open now.';
comment on column posture.time_to_fix.open_under_7_days is 'Of those: open for less than 7 days.';
comment on column posture.time_to_fix.open_7_to_30_days is 'Of those: open for 7 days or more, and less than 30.';
comment on column posture.time_to_fix.open_30_to_90_days is 'Of those: open for 30 days or more, and less than 90.';
comment on column posture.time_to_fix.open_over_90_days is 'Of those: open for 90 days or more.';
