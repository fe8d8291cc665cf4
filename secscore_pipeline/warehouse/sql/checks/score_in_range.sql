-- One row: a record of the newest snapshot whose score is not within 0 <= current <= max.
select record_id, record -> '$.properties.score' as score
from raw.records
where snapshot_id = $snapshot_id
    and event_type = $event_type
    and json_valid(record)
    and not (
        coalesce(try_cast(record -> '$.properties.score.current' as double) >= 0, true)
        and coalesce(
            try_cast(record -> '$.properties.score.current' as double)
            <= try_cast(record -> '$.properties.score.max' as double),
            true
        )
    );
