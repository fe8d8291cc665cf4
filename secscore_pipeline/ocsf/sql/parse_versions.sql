-- One row: what one new version means, with the time at which the finding's numbers last changed.
-- The fetches that may tell what the scores of the new versions' controls are called, and what they saw, put aside first:
-- DuckDB would fetch into every record there is, and then keep those.
create or replace temp table score_fetches as
select fetch_id, run_id, subscription_id
from raw.fetches
where event_type = 'secure_scores'
    and run_id in (select new_versions.run_id from new_versions);

create or replace temp table observed_scores as
select fetches.run_id, fetches.subscription_id, observations.version_id
from score_fetches as fetches
join internal.observations as observations using (fetch_id);

create or replace temp table score_names as
select
    version_id,
    case when json_valid(record) then record ->> '$.name' end as name,
    case when json_valid(record) then
        case when json_type(record, '$.properties.displayName') = 'VARCHAR' then record ->> '$.properties.displayName' end
    end as display_name
from internal.record_versions
where event_type = 'secure_scores'
    and version_id in (select observed_scores.version_id from observed_scores);

insert into internal.parsed_versions by name
with timeline as (
    select
        new_versions.*,
        findings.finding_id,
        definitions.definition_id,
        internal.numbers_of(
            new_versions."current", new_versions."max", new_versions.percentage, new_versions.weight,
            new_versions.healthy, new_versions.unhealthy,
            new_versions.not_applicable, definitions.definition.max_score
        ) as numbers,
        findings.newest_version_id is not null as is_known,
        findings.numbers as known_numbers,
        findings.modified_time as known_modified_time
    from new_versions
    left join internal.findings as findings
        on findings.finding_uid = if(new_versions.rejection is null, new_versions.finding_uid, null)
        and findings.event_type = new_versions.event_type
        and findings.subscription_id = new_versions.subscription_id
    left join internal.control_definitions as definitions
        on definitions.definition_key = if(new_versions.rejection is null, new_versions.definition_key, null)
),
-- What the store already knows of a finding stands before its new versions, as their predecessor.
comparisons as (
    select
        *,
        finding_id is not null and (is_known or row_number() over history > 1) as has_previous,
        if(row_number() over history = 1, known_numbers, lag(numbers) over history) as previous
    from timeline
    window history as (partition by finding_id order by version_id)
),
titles as (
    select seen.run_id, seen.subscription_id, lower(names.name) as score_key,
        any_value(names.display_name) as score_display_name
    from observed_scores as seen
    join score_names as names using (version_id)
    group by all
)
select
    comparisons.version_id,
    comparisons.finding_id,
    rejection_of(comparisons.rejection, comparisons.finding_id) as rejection,
    comparisons.id,
    comparisons.name,
    comparisons.type,
    comparisons.display_name,
    comparisons.score_name,
    titles.score_display_name,
    comparisons."current",
    comparisons."max",
    comparisons.percentage,
    comparisons.weight,
    comparisons.healthy,
    comparisons.unhealthy,
    comparisons.not_applicable,
    comparisons.definition_id,
    coalesce(
        max(
            case
                when comparisons.has_previous and comparisons.numbers is distinct from comparisons.previous
                then comparisons.time
            end
        )
            over (partition by comparisons.finding_id order by comparisons.version_id rows unbounded preceding),
        comparisons.known_modified_time
    ) as modified_time
from comparisons
left join titles
    on titles.run_id = comparisons.run_id
    and titles.subscription_id = comparisons.subscription_id
    and titles.score_key = if(comparisons.event_type = 'secure_score_controls', lower(comparisons.score_name), null)
order by comparisons.version_id;
