-- One row a finding: what must be remembered of it to place its next observation. Bounded by the number of
-- findings, so that a run's cost does not grow with the length of the history.
insert or replace into ocsf.finding_state
with newest as (
    select
        finding_uid,
        time,
        {
            'current': current, 'max': max, 'percentage': percentage, 'weight': weight, 'healthy': healthy,
            'unhealthy': unhealthy, 'not_applicable': not_applicable, 'definition_max': definition_max
        } as numbers
    from observations
    where rejection is null
    qualify row_number() over (partition by finding_uid order by time desc, snapshot_id desc) = 1
)
select
    newest.finding_uid,
    findings.finding_info.first_seen_time as first_seen_time,
    newest.time as last_seen_time,
    findings.finding_info.modified_time as modified_time,
    newest.numbers
from newest
join ocsf.assessment_findings as findings
    on findings.finding_info.uid = newest.finding_uid
    and findings.time = newest.time;
