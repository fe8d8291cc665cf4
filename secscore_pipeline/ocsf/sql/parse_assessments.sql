-- One row: what one new version of an assessment means, with the time at which its status last changed.
-- The states of a finding are compared without the other fields, which are wide. How it stood is in its newest version, or
-- was restored from a baseline: internal.findings is not updated, which costs as much as what is new.
create or replace temp table seen_states as
select
    new_assessments.version_id,
    new_assessments.time,
    findings.finding_id,
    findings.first_seen_time,
    new_assessments.state,
    findings.newest_version_id is not null as is_restored,
    findings.numbers as restored_state,
    findings.modified_time as restored_modified_time
from new_assessments
join internal.findings as findings
    on findings.finding_uid = new_assessments.finding_uid
    and findings.event_type = new_assessments.event_type
    and findings.subscription_id = new_assessments.subscription_id
where new_assessments.rejection is null;

create or replace temp table state_times as
with known_versions as (
    select
        finding_id,
        max_by(
            {'state': state, 'modified_time': modified_time}, version_id
        ) as newest
    from internal.parsed_assessments
    where finding_id in (select seen_states.finding_id from seen_states)
    group by finding_id
),
-- What the store already knows of a finding stands before its new versions, as their predecessor.
timeline as (
    select
        seen.version_id,
        seen.time,
        seen.finding_id,
        seen.first_seen_time,
        seen.state,
        known.newest is not null or seen.is_restored as is_known,
        if(known.newest is not null, known.newest.state, seen.restored_state) as known_state,
        if(known.newest is not null, known.newest.modified_time, seen.restored_modified_time) as known_modified_time
    from seen_states as seen
    left join known_versions as known using (finding_id)
),
comparisons as (
    select
        *,
        is_known or row_number() over history > 1 as has_previous,
        if(row_number() over history = 1, known_state, lag(state) over history) as previous_state
    from timeline
    window history as (partition by finding_id order by version_id)
)
select
    version_id,
    finding_id,
    first_seen_time,
    coalesce(
        max(case when has_previous and state is distinct from previous_state then time end)
            over (partition by finding_id order by version_id rows unbounded preceding),
        known_modified_time
    ) as modified_time
from comparisons;

insert into internal.parsed_assessments by name
select
    new_assessments.version_id,
    state_times.finding_id,
    rejection_of(new_assessments.rejection, state_times.finding_id) as rejection,
    new_assessments.recommendation_id,
    new_assessments.type,
    new_assessments.display_name,
    new_assessments.state,
    new_assessments.status_code,
    new_assessments.cause,
    new_assessments.status_description,
    new_assessments.first_evaluated_at,
    new_assessments.status_changed_at,
    new_assessments.source,
    new_assessments.resource_id,
    new_assessments.resource_name,
    new_assessments.resource_type,
    new_assessments.account_id,
    new_assessments.risk_level,
    new_assessments.risk_factors,
    new_assessments.attack_paths,
    new_assessments.portal_url,
    state_times.first_seen_time,
    coalesce(epoch_ms(new_assessments.status_changed_at), state_times.modified_time) as modified_time
from new_assessments
left join state_times using (version_id)
order by new_assessments.version_id;
