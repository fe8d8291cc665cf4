-- One row: a record of the newest run whose score is not within 0 <= current <= max.
-- What is wrong is put aside first: DuckDB would fetch into every record there is, and then keep those of the run.
-- A function over one list: the score is taken out of each record once, since every JSON function holds on to memory.
with scores_out_of_range as materialized (
    select
        version_id,
        first_fetch_id,
        list_filter(
            [try(from_json(
                record, '{"properties": {"score": {"current": "JSON", "max": "JSON"}}}'
            )).properties.score],
            lambda score: not coalesce(
                try_cast(score.current as double) between 0 and try_cast(score.max as double), true
            )
        ) as wrong
    from internal.record_versions
    where event_type = $event_type
        and version_id in (from versions_seen($event_type))
)
select fetches.subscription_id, scores.version_id, scores.wrong[1] as score
from scores_out_of_range as scores
join raw.fetches as fetches on fetches.fetch_id = scores.first_fetch_id
where len(scores.wrong) > 0;
