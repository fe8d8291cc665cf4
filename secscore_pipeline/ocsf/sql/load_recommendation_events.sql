-- One row: one change of one recommendation on one resource, in the order of the fetches that saw them. It is an event
-- where the finding was unhealthy, or of an unknown status, then or before: not each poll of each healthy resource.
create or replace temp table pending_changes as
with pending_fetches as (
    select fetch_id
    from fetch_pairs
    where event_type = 'assessments'
),
beginnings as (
    select spans.first_fetch_id as fetch_id, parsed.finding_id, spans.version_id
    from internal.record_spans as spans
    join internal.parsed_assessments as parsed using (version_id)
    where parsed.finding_id is not null
        and spans.event_type = 'assessments'
        and spans.first_fetch_id in (select pending_fetches.fetch_id from pending_fetches)
),
endings as (
    select spans.ended_fetch_id as fetch_id, parsed.finding_id, spans.version_id as previous_version_id
    from internal.record_spans as spans
    join internal.parsed_assessments as parsed using (version_id)
    where parsed.finding_id is not null
        and spans.event_type = 'assessments'
        and spans.ended_fetch_id in (select pending_fetches.fetch_id from pending_fetches)
)
select fetch_id, finding_id, beginnings.version_id, endings.previous_version_id
from beginnings
full join endings using (fetch_id, finding_id);

insert into internal.recommendation_events by name
with known_events as (
    select finding_id
    from internal.recommendation_events
    where activity_id is not null
    union
    select findings.finding_id
    from internal.baselines as baselines
    join internal.findings as findings using (finding_uid)
    where baselines.event_type = 'assessments'
        and baselines.has_events
),
described_changes as (
    select
        changes.fetch_id,
        changes.finding_id,
        changes.version_id,
        changes.previous_version_id,
        parsed.state,
        previous.state as previous_state,
        known_events.finding_id is not null as has_events,
        fetch_pairs.reason is not null as has_left,
        fetch_pairs.previous_time
    from pending_changes as changes
    join fetch_pairs using (fetch_id)
    left join internal.parsed_assessments as parsed using (version_id)
    left join internal.parsed_assessments as previous on previous.version_id = changes.previous_version_id
    left join known_events on known_events.finding_id = changes.finding_id
),
named_changes as (
    select
        *,
        version_id is not null and state in ('unhealthy', 'unknown') as is_open,
        case
            when version_id is null and has_left then 'left'
            when version_id is null then 'went'
            when previous_version_id is null then 'came'
            when state = previous_state then 'updated'
            when state = 'unhealthy' then 'broke'
            when state = 'healthy' and previous_state = 'unhealthy' then 'fixed'
            when state = 'exempt' then 'exempted'
            else state
        end as change
    from described_changes
),
counted_changes as (
    select
        *,
        has_events or coalesce(bool_or(is_open) over earlier, false) as was_event
    from named_changes
    window earlier as (
        partition by finding_id order by fetch_id rows between unbounded preceding and 1 preceding
    )
)
select
    fetch_id,
    finding_id,
    coalesce(version_id, previous_version_id) as version_id,
    previous_version_id,
    change,
    case
        when version_id is null then if(was_event, 3, null)
        when not was_event then if(is_open, 1, null)
        when is_open or change <> 'updated' then 2
    end as activity_id,
    if(version_id is null, previous_time, null) as last_seen_time
from counted_changes
order by fetch_id, finding_id;
