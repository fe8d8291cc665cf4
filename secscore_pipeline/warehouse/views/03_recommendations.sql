-- One row: what a tenant's recommendation is about: its newest metadata.
create or replace view internal.recommendations as
with tenant_lists as (
    select tenant_id, subscription_id, min(fetch_id) as first_fetch_id, max(fetch_id) as last_fetch_id
    from raw.fetches
    where event_type = 'assessment_metadata'
        and outcome = 'complete'
    group by tenant_id, subscription_id
)
select
    lists.tenant_id,
    metadata.*
from internal.record_spans as spans
join internal.parsed_metadata as metadata using (version_id)
-- A subscription that moves to another tenant is in two of them; what it described before stays.
join tenant_lists as lists
    on lists.subscription_id = spans.subscription_id
    and lists.last_fetch_id >= spans.first_fetch_id
    and (spans.ended_fetch_id is null or lists.first_fetch_id < spans.ended_fetch_id)
where spans.event_type = 'assessment_metadata'
    and metadata.recommendation_id is not null
qualify row_number() over (
    partition by lists.tenant_id, metadata.recommendation_id
    order by spans.ended_fetch_id is null desc, spans.first_fetch_id desc, spans.version_id desc
) = 1;

-- One row: one recommendation that is part of a secure score control or more, by the newest definition of each.
create or replace view internal.recommendation_controls as
with definitions as (
    select definition
    from internal.control_definitions
    qualify row_number() over (partition by lower(definition.name) order by definition_id desc) = 1
),
memberships as (
    select
        definition,
        coalesce(definition.display_name, definition.name) as control,
        lower(unnest(definition.check_uids)) as recommendation_id
    from definitions
    where coalesce(definition.display_name, definition.name) is not null
)
select
    recommendation_id,
    list(control order by definition.max_score desc nulls last, definition.name) as controls,
    list(internal.spell_id(definition.name) order by definition.max_score desc nulls last, definition.name)
        as control_ids
from memberships
group by recommendation_id;

-- One row: one event in the life of a finding that is a recommendation on a resource, flat: what is new, changed or gone.
-- Of the fetches in a table or view that has the columns of raw.fetches: the fewer those are, the less is read.
create or replace macro internal.recommendation_events_at(source) as table
select
    fetches.fetch_id,
    fetches.run_id,
    fetches.tenant_id,
    fetches.subscription_id,
    fetches.event_type,
    fetches.observed_at,
    internal.day_of(fetches.observed_at) as day,
    epoch_ms(fetches.observed_at) as time,
    fetches.stored_at,
    fetches.arm_endpoint,
    fetches.api_version,
    fetches.cloud_partition,
    fetches.feed,
    fetches.subscription_version_id,
    normalized.extension_version,
    changes.change,
    changes.activity_id,
    departures.reason as left_reason,
    findings.finding_id,
    findings.finding_uid,
    coalesce(epoch_ms(parsed.first_evaluated_at), findings.first_seen_time) as first_seen_time,
    if(parsed.first_evaluated_at is null, 'first_fetch', 'azure') as first_seen_source,
    coalesce(changes.last_seen_time, epoch_ms(fetches.observed_at)) as last_seen_time,
    parsed.* exclude (finding_id, rejection, first_evaluated_at, first_seen_time),
    metadata.* exclude (tenant_id, version_id, recommendation_id, display_name),
    coalesce(controls.controls, []) as controls,
    coalesce(controls.control_ids, []) as control_ids
from internal.recommendation_events as changes
join query_table(source) as fetches using (fetch_id)
join internal.normalized_fetches as normalized using (run_id, event_type)
join internal.parsed_assessments as parsed using (version_id)
join internal.findings as findings on findings.finding_id = changes.finding_id
left join internal.departures as departures on departures.fetch_id = changes.fetch_id
left join internal.recommendations as metadata
    on metadata.tenant_id = fetches.tenant_id
    and metadata.recommendation_id = parsed.recommendation_id
left join internal.recommendation_controls as controls on controls.recommendation_id = parsed.recommendation_id;

comment on view internal.recommendations is 'One row: what a recommendation of a tenant is about: its newest metadata.';
comment on column internal.recommendations.tenant_id is 'The Entra tenant: a GUID, lower case.';
comment on view internal.recommendation_controls is
    'One row: one recommendation that is part of a secure score control or more, by the newest definition of each.';
comment on column internal.recommendation_controls.recommendation_id is 'The recommendation, lower case.';
comment on column internal.recommendation_controls.controls is 'The names of its controls, that with the most points first.';
comment on column internal.recommendation_controls.control_ids is 'Their GUIDs, in the same order.';
