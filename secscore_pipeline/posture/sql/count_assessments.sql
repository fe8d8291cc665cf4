-- 1 where the store holds an assessment, else 0: what recommendations need is not worked out for nothing.
select count(*)
from (
    select version_id
    from internal.record_spans
    where event_type = 'assessments'
    limit 1
);
