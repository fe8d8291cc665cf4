-- One row: how one finding of a score or control stands after its newest version.
update internal.findings as findings
set
    newest_version_id = newest.version_id,
    modified_time = newest.modified_time,
    numbers = newest.numbers
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
    where parsed.finding_id is not null
        and parsed.version_id > $after
        and parsed.version_id <= $upto
    qualify row_number() over (partition by parsed.finding_id order by parsed.version_id desc) = 1
) as newest
where newest.finding_id = findings.finding_id;
