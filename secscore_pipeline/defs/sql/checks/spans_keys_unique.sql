-- One row: a record id that a fetch of the newest run saw more than once.
select seen_spans.subscription_id, versions.occurrence, count(*) as times
from spans_seen($event_type) as seen_spans
join internal.record_versions as versions using (version_id)
group by seen_spans.subscription_id, seen_spans.version_id, versions.occurrence
having versions.occurrence > 1
    or times > 1;
