-- One row: one event of class Assessment Finding (99402001), of every event type: of the observations and the changes of
-- recommendations in two tables or views that have the columns of ocsf.observations and internal.recommendation_changes.
create or replace macro internal.as_findings(observations, changes) as table
from internal.as_score_findings(observations)
union all by name
from internal.as_recommendation_findings(changes);

create or replace view internal.recommendation_changes as
from internal.recommendation_events_at('internal.fetches_and_departures');

comment on view internal.recommendation_changes is
    'One row: one change of one recommendation on one resource, with the resource and the recommendation.';
comment on column internal.recommendation_changes.day is 'The day (UTC) of observed_at.';
comment on column internal.recommendation_changes.time is 'When it was observed, epoch milliseconds.';
comment on column internal.recommendation_changes.extension_version is 'metadata.extensions[0].version of its OCSF event.';
comment on column internal.recommendation_changes.left_reason is
    'Why the subscription left the scope, where that closed the finding; null otherwise.';
comment on column internal.recommendation_changes.first_seen_time is
    'When Azure first evaluated it, else when this database first saw it, epoch milliseconds.';
comment on column internal.recommendation_changes.first_seen_source is 'azure or first_fetch: whose date first_seen_time is.';
comment on column internal.recommendation_changes.last_seen_time is 'When it was last seen, epoch milliseconds.';
comment on column internal.recommendation_changes.state is 'unhealthy, healthy, exempt, not_applicable or unknown.';
comment on column internal.recommendation_changes.controls is 'The names of its controls, that with the most points first.';
comment on column internal.recommendation_changes.control_ids is 'Their GUIDs, in the same order.';

create or replace view ocsf.assessment_findings as
from internal.as_findings('ocsf.observations', 'internal.recommendation_changes');

comment on view ocsf.assessment_findings is
    'One row: one OCSF event of class Assessment Finding (99402001), of a secure score, a control, or a recommendation on a resource. Filter by time: it is quick.';
comment on column ocsf.assessment_findings.activity_id is '1 Create, 2 Update, 3 Close.';
comment on column ocsf.assessment_findings.activity_name is 'Create, Update or Close.';
comment on column ocsf.assessment_findings.category_uid is 'Always 2.';
comment on column ocsf.assessment_findings.category_name is 'Findings.';
comment on column ocsf.assessment_findings.class_uid is 'Always 99402001.';
comment on column ocsf.assessment_findings.class_name is 'Assessment Finding.';
comment on column ocsf.assessment_findings.type_uid is 'class_uid * 100 + activity_id.';
comment on column ocsf.assessment_findings.type_name is 'Assessment Finding and the activity.';
comment on column ocsf.assessment_findings.time is 'When it was observed, epoch milliseconds.';
comment on column ocsf.assessment_findings.time_dt is 'time as a timestamp, UTC.';
comment on column ocsf.assessment_findings.timezone_offset is '0: all times are UTC.';
comment on column ocsf.assessment_findings.severity_id is 'OCSF severity_id: 0 Unknown to 5 Critical.';
comment on column ocsf.assessment_findings.severity is 'Caption of severity_id.';
comment on column ocsf.assessment_findings.status_id is '1 New, 3 Suppressed (exempt), 4 Resolved.';
comment on column ocsf.assessment_findings.status is 'Caption of status_id.';
comment on column ocsf.assessment_findings.status_detail is 'The observation in one sentence.';
comment on column ocsf.assessment_findings.message is 'The observation in one sentence.';
comment on column ocsf.assessment_findings.metadata is
    'The event itself: identifiers, product, log, version, the run (correlation_uid).';
comment on column ocsf.assessment_findings.cloud is
    'Provider, partition, subscription (account.uid), tenant (org.uid).';
comment on column ocsf.assessment_findings.finding_info is
    'The finding: identifier, title, first, last and modified times.';
comment on column ocsf.assessment_findings.compliance is 'Status, standard, control and the checks behind it.';
comment on column ocsf.assessment_findings.resources is
    'The subscription; of a recommendation, the affected resource before it.';
comment on column ocsf.assessment_findings.observables is 'What to search for: the subscription''s ids.';
comment on column ocsf.assessment_findings.remediation is 'What to do about a failing one.';
comment on column ocsf.assessment_findings.unmapped is 'secure_score: the typed numbers; recommendation: effort, impact, risk: what OCSF has no place for.';
comment on column ocsf.assessment_findings.raw_data is 'The record''s JSON, byte for byte.';
comment on column ocsf.assessment_findings.raw_data_size is 'Its bytes.';
comment on column ocsf.assessment_findings.raw_data_hash is 'Its SHA-256.';

-- How many rows ocsf.assessment_findings has, without making them: the observations of complete fetches, but for what cannot
-- be a finding, closings, and the changes of recommendations that are events.
create or replace macro internal.count_findings() as (
    select
        (
            select coalesce(sum(fetches.records), 0)
            from raw.fetches as fetches
            join internal.normalized_fetches as normalized using (run_id, event_type)
            join internal.event_types_with_findings as kinds using (event_type)
            where kinds.is_scored
        ) - (
            select count(*)
            from internal.observations as observations
            join internal.parsed_versions as parsed using (version_id)
            where parsed.rejection is not null
        ) + (
            select count(*)
            from internal.closings as closings
        ) + (
            select count(activity_id)
            from internal.recommendation_events as changes
        )
);
