-- One row: one of the newest findings, as JSON; failing and unusual ones first, since they use most of the class.
-- Of some of the looks: which findings are chosen matters less than what choosing among all of them costs.
create or replace temp table sampled_looks as
select *
from looked
where outcome = 'complete'
order by subscription_id
limit $limit;

create or replace temp table sampled as
select *
from ocsf.observations_at('sampled_looks')
order by compliance_status_id = 1, finding_uid
limit $limit;

select to_json(findings) as finding
from ocsf.as_findings('sampled') as findings;
