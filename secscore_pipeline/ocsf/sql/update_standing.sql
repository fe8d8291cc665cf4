-- One row: how one finding stands after its newest body.
update ocsf.findings as findings
set
    newest_body_id = newest.body_id,
    modified_time = newest.modified_time,
    numbers = newest.numbers
from (
    select
        states.finding_id,
        states.body_id,
        states.modified_time,
        ocsf.numbers_of(
            states."current", states."max", states.percentage, states.weight, states.healthy, states.unhealthy,
            states.not_applicable, definitions.definition.max_score
        ) as numbers
    from ocsf.states as states
    left join ocsf.definitions as definitions using (definition_id)
    where states.finding_id is not null
        and states.body_id > $after
        and states.body_id <= $upto
    qualify row_number() over (partition by states.finding_id order by states.body_id desc) = 1
) as newest
where newest.finding_id = findings.finding_id;
