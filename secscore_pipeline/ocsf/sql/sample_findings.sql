-- One row: one of the newest findings, as JSON; failing and unusual ones first, since they use most of the class.
-- Of some of the fetches: which findings are chosen matters less than what choosing among all of them costs.
create or replace temp table sampled_fetches as
from selected_fetches
where outcome = 'complete'
order by subscription_id
limit $limit;

create or replace temp table sampled_observations as
from internal.observations_at('sampled_fetches')
order by compliance_status_id = 1, finding_uid
limit $limit;

create or replace temp table sampled_changes as
from internal.recommendation_events_at('sampled_fetches')
where activity_id is not null
order by state = 'healthy', finding_uid
limit $limit;

select to_json(findings) as finding
from internal.as_findings('sampled_observations', 'sampled_changes') as findings;
