-- One row: one of the newest findings, as JSON; failing and unusual ones first, since they use most of the class.
create or replace temp table sampled as
select *
from ocsf.observations
where snapshot_id = $snapshot_id
order by compliance_status_id = 1, finding_uid
limit $limit;

select to_json(findings) as finding
from ocsf.as_findings('sampled') as findings;
