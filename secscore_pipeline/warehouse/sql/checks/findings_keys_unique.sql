-- One row: an event identifier that the findings hold more than once.
select metadata.uid as uid, count(*) as times
from ocsf.assessment_findings
where metadata.correlation_uid = $snapshot_id
group by metadata.uid
having count(*) > 1;
