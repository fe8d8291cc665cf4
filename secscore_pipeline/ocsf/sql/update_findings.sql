-- One row: how one finding stands after its newest version.
update internal.findings as findings
set
    newest_version_id = newest.version_id,
    modified_time = newest.modified_time,
    numbers = newest.numbers
from (
    select
        parsed_versions.finding_id,
        parsed_versions.version_id,
        parsed_versions.modified_time,
        internal.numbers_of(
            parsed_versions."current", parsed_versions."max", parsed_versions.percentage, parsed_versions.weight, parsed_versions.healthy, parsed_versions.unhealthy,
            parsed_versions.not_applicable, definitions.definition.max_score
        ) as numbers
    from internal.parsed_versions as parsed_versions
    left join internal.control_definitions as definitions using (definition_id)
    where parsed_versions.finding_id is not null
        and parsed_versions.version_id > $after
        and parsed_versions.version_id <= $upto
    qualify row_number() over (partition by parsed_versions.finding_id order by parsed_versions.version_id desc) = 1
) as newest
where newest.finding_id = findings.finding_id;
