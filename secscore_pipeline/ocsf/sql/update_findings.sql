-- One row: how one finding stands after its newest version. One statement for all event types: a lake cannot change a table
-- twice in a transaction that has inserted into it.
update internal.findings as findings
set
    newest_version_id = newest.version_id,
    modified_time = newest.modified_time,
    numbers = newest.numbers
from (
    select finding_id, version_id, modified_time, numbers
    from (
        select
            parsed.finding_id,
            parsed.version_id,
            parsed.modified_time,
            internal.numbers_of(
                parsed."current", parsed."max", parsed.percentage, parsed.weight, parsed.healthy, parsed.unhealthy,
                parsed.not_applicable, definitions.definition.max_score
            ) as numbers
        from internal.parsed_versions as parsed
        left join internal.control_definitions as definitions using (definition_id)
        union all
        select finding_id, version_id, modified_time, internal.state_of(status_code, cause) as numbers
        from internal.parsed_assessments
    )
    where finding_id is not null
        and version_id > $after
        and version_id <= $upto
    qualify row_number() over (partition by finding_id order by version_id desc) = 1
) as newest
where newest.finding_id = findings.finding_id;
