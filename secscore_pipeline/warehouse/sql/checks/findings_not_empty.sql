-- One row: a snapshot that was complete, though no finding came of it.
select fetches.event_type, sum(fetches.records) as records
from raw.fetches as fetches
where fetches.snapshot_id = $snapshot_id
    and fetches.outcome = 'complete'
    and not exists (
        select 1
        from ocsf.assessment_findings as findings
        where findings.metadata.correlation_uid = fetches.snapshot_id
    )
group by fetches.event_type;
