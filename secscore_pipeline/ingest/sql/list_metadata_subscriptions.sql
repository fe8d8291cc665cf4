-- One row: one subscription in $ids whose list of recommendation metadata is to be read now: one of each tenant a day, and
-- each that has assessments of a recommendation which nothing describes, and was not asked for since they came.
with tenants as (
    select subscription_id, max_by(tenant_id, fetch_id) as tenant_id
    from raw.fetches
    group by subscription_id
),
scope as (
    from tenants
    where list_contains(cast($ids as varchar[]), subscription_id)
),
tenants_read_today as (
    select distinct tenants.tenant_id
    from raw.fetches as fetches
    join tenants using (subscription_id)
    where fetches.event_type = 'assessment_metadata'
        and fetches.outcome = 'complete'
        and internal.day_of(fetches.observed_at) = $today
),
metadata_fetches as (
    select
        fetches.subscription_id,
        max(fetches.fetch_id) filter (where fetches.outcome = 'complete') as complete_fetch_id,
        max_by(fetches.outcome, fetches.fetch_id) = 'complete' as is_readable,
        coalesce(bool_or(internal.day_of(fetches.observed_at) = $today), false) as is_tried_today
    from raw.fetches as fetches
    where fetches.event_type = 'assessment_metadata'
    group by fetches.subscription_id
),
readable_subscriptions as (
    select subscription_id, max_by(outcome, fetch_id) = 'complete' as has_assessments
    from raw.fetches
    where event_type = 'assessments'
    group by subscription_id
),
candidates as (
    select
        scope.tenant_id,
        scope.subscription_id,
        coalesce(metadata.is_tried_today, false) as is_tried_today,
        scope.tenant_id in (select tenants_read_today.tenant_id from tenants_read_today) as is_tenant_read,
        row_number() over (
            partition by scope.tenant_id
            order by
                coalesce(metadata.is_tried_today, false),
                coalesce(metadata.is_readable, false) desc,
                coalesce(readable.has_assessments, false) desc,
                scope.subscription_id
        ) as place
    from scope
    left join metadata_fetches as metadata using (subscription_id)
    left join readable_subscriptions as readable using (subscription_id)
),
described_recommendations as (
    select distinct
        tenants.tenant_id,
        latest.record_name as recommendation_id
    from internal.latest_versions as latest
    join tenants using (subscription_id)
    where latest.event_type = 'assessment_metadata'
),
undescribed_subscriptions as (
    select latest.subscription_id, max(spans.first_fetch_id) as first_fetch_id
    from internal.latest_versions as latest
    join scope using (subscription_id)
    join internal.record_spans as spans using (version_id)
    anti join described_recommendations as described
        on described.tenant_id = scope.tenant_id
        and described.recommendation_id = latest.record_name
    where latest.event_type = 'assessments'
        and spans.ended_fetch_id is null
    group by latest.subscription_id
)
select subscription_id
from candidates
where place = 1
    and not is_tenant_read
    and not is_tried_today
union
select undescribed.subscription_id
from undescribed_subscriptions as undescribed
join candidates using (subscription_id)
left join metadata_fetches as metadata using (subscription_id)
where candidates.is_tenant_read
    and not candidates.is_tried_today
    and coalesce(metadata.complete_fetch_id, 0) < undescribed.first_fetch_id
order by subscription_id;
