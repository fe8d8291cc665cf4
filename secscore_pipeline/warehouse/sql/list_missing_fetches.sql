-- One row: one kind of thing that the database `secscore_published` holds and this store lacks: how many, and which of them.
-- What was observed before the cutoff of this store's retentions was deleted knowingly, and is not looked for.
with retention as (
    select coalesce(max(cutoff), '-infinity'::timestamptz) as cutoff
    from meta.retentions
),
published_fetches as (
    select
        run_id,
        event_type,
        count(*) as fetches,
        count(*) filter (where internal.read_result_of(outcome) <> 'not_read') as answers,
        max(observed_at) as observed_at
    from secscore_published.raw.fetches
    where observed_at >= (select retention.cutoff from retention)
    group by run_id, event_type
),
own_fetches as (
    select
        run_id,
        event_type,
        count(*) as fetches,
        count(*) filter (where internal.read_result_of(outcome) <> 'not_read') as answers
    from raw.fetches
    where observed_at >= (select retention.cutoff from retention)
    group by run_id, event_type
),
-- A try that failed may have made room for one that saw fewer subscriptions: only answers are counted.
missing_fetches as (
    select
        published_fetches.*,
        if(own_fetches.fetches is null, published_fetches.fetches, published_fetches.answers - own_fetches.answers)
            as missing
    from published_fetches
    left join own_fetches using (run_id, event_type)
    where own_fetches.fetches is null
        or published_fetches.answers > own_fetches.answers
),
missing_runs as (
    select published_runs.run_id, published_runs.event_type
    from secscore_published.internal.normalized_fetches as published_runs
    semi join published_fetches using (run_id, event_type)
    anti join internal.normalized_fetches using (run_id, event_type)
),
missing_findings as (
    select finding_uid
    from secscore_published.internal.findings
    anti join internal.findings using (finding_uid)
),
missing_rows as (
    select
        'fetches of ' || count(distinct run_id) || ' runs' as what,
        sum(missing) as count,
        'the newest of ' || strftime(max(observed_at), '%Y-%m-%d %H:%M UTC') || ', run '
        || max_by(run_id, observed_at) as detail
    from missing_fetches
    union all
    select 'runs whose findings were made', count(distinct run_id), null
    from missing_runs
    union all
    select 'findings', count(*), 'such as ' || min(finding_uid)
    from missing_findings
)
select what, cast(count as bigint), detail
from missing_rows
where count > 0;
