-- One row: a record of the newest snapshot whose score is not within 0 <= current <= max.
-- What is wrong is put aside first: DuckDB would look into every record there is, and then keep those of the snapshot.
-- A function over one list: the score is taken out of each record once, since every JSON function holds on to memory.
create or replace temp table scores_out_of_range as
select
    body_id,
    first_look_id,
    list_filter(
        [try(from_json(
            record, '{"properties": {"score": {"current": "JSON", "max": "JSON"}}}'
        )).properties.score],
        lambda score: not coalesce(
            try_cast(score.current as double) between 0 and try_cast(score.max as double), true
        )
    ) as wrong
from raw.bodies
where body_id in (from bodies_seen($event_type));

select fetches.subscription_id, scores.body_id, scores.wrong[1] as score
from scores_out_of_range as scores
join raw.fetches as fetches on fetches.look_id = scores.first_look_id
where len(scores.wrong) > 0;
