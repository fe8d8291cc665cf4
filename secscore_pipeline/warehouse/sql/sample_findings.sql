-- One row: one of the newest findings, as JSON; failing and unusual ones first, since they use most of the class.
select to_json(findings) as finding
from ocsf.assessment_findings as findings
where findings.time >= (
        select epoch_ms(min(fetches.observed_at)) from raw.fetches as fetches where fetches.snapshot_id = $snapshot_id
    )
    and findings.metadata.correlation_uid = $snapshot_id
order by compliance.status_id = 1, finding_info.uid
limit $limit;
