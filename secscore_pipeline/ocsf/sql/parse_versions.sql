-- One row: what one new version means, with the time at which the finding's numbers last changed.
-- The fetches that may tell what the scores of the new versions' controls are called, and what they saw, put aside first:
-- DuckDB would fetch into every record there is, and then keep those.
create or replace temp table looks_at_scores as
select fetch_id, run_id, subscription_id
from raw.fetches
where event_type = 'secure_scores'
    and run_id in (select news.run_id from news);

create or replace temp table scores_seen as
select fetches.run_id, fetches.subscription_id, observations.version_id
from looks_at_scores as fetches
join internal.observations as observations using (fetch_id);

create or replace temp table score_names as
select
    version_id,
    case when json_valid(record) then record ->> '$.name' end as name,
    case when json_valid(record) then
        case when json_type(record, '$.properties.displayName') = 'VARCHAR' then record ->> '$.properties.displayName' end
    end as display_name
from internal.record_versions
where version_id in (select scores_seen.version_id from scores_seen);

insert into internal.parsed_versions by name
with timeline as (
    select
        news.*,
        findings.finding_id,
        definitions.definition_id,
        internal.numbers_of(
            news."current", news."max", news.percentage, news.weight, news.healthy, news.unhealthy,
            news.not_applicable, definitions.definition.max_score
        ) as numbers,
        findings.newest_version_id is not null as is_known,
        findings.numbers as known_numbers,
        findings.modified_time as known_modified_time
    from news
    left join internal.findings as findings on findings.finding_uid = if(news.rejection is null, news.finding_uid, null)
    left join internal.control_definitions as definitions
        on definitions.definition_key = if(news.rejection is null, news.definition_key, null)
),
-- What the store already knows of a finding stands before its new versions, as their predecessor.
compared as (
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
    from scores_seen as seen
    join score_names as names using (version_id)
    group by all
)
select
    compared.version_id,
    compared.finding_id,
    compared.rejection,
    compared.id,
    compared.name,
    compared.type,
    compared.display_name,
    compared.score_name,
    titles.score_display_name,
    compared."current",
    compared."max",
    compared.percentage,
    compared.weight,
    compared.healthy,
    compared.unhealthy,
    compared.not_applicable,
    compared.definition_id,
    coalesce(
        max(case when compared.has_previous and compared.numbers is distinct from compared.previous then compared.time end)
            over (partition by compared.finding_id order by compared.version_id rows unbounded preceding),
        compared.known_modified_time
    ) as modified_time
from compared
left join titles
    on titles.run_id = compared.run_id
    and titles.subscription_id = compared.subscription_id
    and titles.score_key = if(compared.event_type = 'secure_score_controls', lower(compared.score_name), null)
order by compared.version_id;
