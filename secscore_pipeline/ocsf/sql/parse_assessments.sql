-- One row: what one new version of an assessment means, with the time at which its status last changed.
insert into internal.parsed_assessments by name
with timeline as (
    select
        new_assessments.*,
        findings.finding_id,
        internal.state_of(new_assessments.status_code, new_assessments.cause) as state,
        findings.newest_version_id is not null as is_known,
        findings.numbers as known_state,
        findings.modified_time as known_modified_time
    from new_assessments
    left join internal.findings as findings
        on findings.finding_uid = if(new_assessments.rejection is null, new_assessments.finding_uid, null)
),
comparisons as (
    select
        *,
        finding_id is not null and (is_known or row_number() over history > 1) as has_previous,
        if(row_number() over history = 1, known_state, lag(state) over history) as previous_state
    from timeline
    window history as (partition by finding_id order by version_id)
)
select
    version_id,
    finding_id,
    rejection,
    id,
    recommendation_id,
    type,
    display_name,
    status_code,
    cause,
    status_description,
    first_evaluated_at,
    status_changed_at,
    source,
    resource_id,
    resource_name,
    resource_type,
    account_id,
    risk_level,
    risk_factors,
    attack_paths,
    portal_url,
    coalesce(
        epoch_ms(status_changed_at),
        max(case when has_previous and state is distinct from previous_state then time end)
            over (partition by finding_id order by version_id rows unbounded preceding),
        known_modified_time
    ) as modified_time
from comparisons
order by version_id;
