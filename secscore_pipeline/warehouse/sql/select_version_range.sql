-- One row: the version before the first that is not worked out, and the last; the same where all are.
select coalesce(min(version_id) - 1, 0) as worked_out, coalesce(max(version_id), 0) as stored
from internal.record_versions
where version_id > greatest(
    (select coalesce(max(parsed.version_id), 0) from internal.parsed_versions as parsed),
    (select coalesce(max(parsed.version_id), 0) from internal.parsed_assessments as parsed),
    (select coalesce(max(parsed.version_id), 0) from internal.parsed_metadata as parsed)
);
