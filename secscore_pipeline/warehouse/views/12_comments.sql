-- What the columns of views mean, for DESCRIBE-like tools and the documentation; a view made anew has lost its
-- comments. A column that is not named here means what the first column of its name means.

comment on column ocsf.assessment_findings.activity_name is 'Create, Update or Close.';
comment on column ocsf.assessment_findings.category_uid is 'Always 2.';
comment on column ocsf.assessment_findings.category_name is 'Findings.';
comment on column ocsf.assessment_findings.class_uid is 'Always 99402001.';
comment on column ocsf.assessment_findings.class_name is 'Assessment Finding.';
comment on column ocsf.assessment_findings.type_uid is 'class_uid * 100 + activity_id.';
comment on column ocsf.assessment_findings.type_name is 'Assessment Finding and the activity.';
comment on column ocsf.assessment_findings.time_dt is 'time as a timestamp, UTC.';
comment on column ocsf.assessment_findings.timezone_offset is '0: all times are UTC.';
comment on column ocsf.assessment_findings.severity is 'Caption of severity_id.';
comment on column ocsf.assessment_findings.status_id is '1 New, 4 Resolved.';
comment on column ocsf.assessment_findings.status is 'Caption of status_id.';
comment on column ocsf.assessment_findings.status_detail is 'The observation in one sentence.';
comment on column ocsf.assessment_findings.message is 'The observation in one sentence.';
comment on column ocsf.assessment_findings.metadata is 'The event itself: identifiers, product, log, version, the run (correlation_uid).';
comment on column ocsf.assessment_findings.cloud is 'Provider, partition, subscription (account.uid), tenant (org.uid).';
comment on column ocsf.assessment_findings.finding_info is 'The finding: identifier, title, first, last and modified times.';
comment on column ocsf.assessment_findings.compliance is 'Status, standard, control and the checks behind it.';
comment on column ocsf.assessment_findings.resources is 'The subscription.';
comment on column ocsf.assessment_findings.observables is 'What to search for: the subscription''s ids.';
comment on column ocsf.assessment_findings.remediation is 'What to do about a failing one.';
comment on column ocsf.assessment_findings.unmapped is 'secure_score: the typed numbers, which OCSF has no place for.';
comment on column ocsf.assessment_findings.raw_data is 'The record''s JSON, byte for byte.';
comment on column ocsf.assessment_findings.raw_data_size is 'Its bytes.';
comment on column ocsf.assessment_findings.raw_data_hash is 'Its SHA-256.';

comment on column ocsf.observations.fetch_id is 'The fetch that saw it, as in raw.fetches.';
comment on column ocsf.observations.run_id is 'The run that read it (Dagster run id).';
comment on column ocsf.observations.subscription_id is 'The subscription, lower case.';
comment on column ocsf.observations.is_control is 'Whether it is a control rather than a score.';
comment on column ocsf.observations.observed_at is 'When it was observed, UTC.';
comment on column ocsf.observations.stored_at is 'When its run was stored, UTC.';
comment on column ocsf.observations.cloud_partition is 'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column ocsf.observations.informational_from is 'The threshold that rated it: Informational from here.';
comment on column ocsf.observations.low_from is 'The threshold that rated it: Low from here.';
comment on column ocsf.observations.medium_from is 'The threshold that rated it: Medium from here, High below.';
comment on column ocsf.observations.extension_version is 'metadata.extensions[0].version of its OCSF event.';
comment on column ocsf.observations.activity_id is '1 Create, 2 Update, 3 Close.';
comment on column ocsf.observations.version_id is 'The text it was read from, as in internal.record_versions.';
comment on column ocsf.observations.name is 'The record''s name, as received.';
comment on column ocsf.observations.is_counted is 'Whether a control''s resources were counted.';
comment on column ocsf.observations.compliance_status_id is 'OCSF compliance.status_id: 1 Pass, 2 Warning, 3 Fail, 99 Other.';
comment on column ocsf.observations.compliance_status is 'Pass (100 %), Fail (less), Warning, Not applicable or Not scored.';
comment on column ocsf.observations.severity_id is 'OCSF severity_id: 0 Unknown to 4 High.';

comment on column posture.SecureScoreControls.ControlId is 'The control''s GUID.';
comment on column posture.SecureScoreControls.ControlName is 'The control''s display name.';
comment on column posture.SecureScoreControls.ControlType is 'The kind of definition, such as BuiltIn.';
comment on column posture.SecureScoreControls.Description is 'The control''s description.';
comment on column posture.SecureScoreControls.HealthyResources is 'Healthy resources.';
comment on column posture.SecureScoreControls.NotApplicableResources is 'Resources that do not count.';
comment on column posture.SecureScoreControls.RecommendationResourceIds is 'The recommendations of the control, in this subscription.';
comment on column posture.SecureScoreControls.UnhealthyResources is 'Unhealthy resources.';

comment on column posture.SecureScores.AssessedResourceId is 'The record''s id.';
comment on column posture.SecureScores._BilledSize is 'Always null: nothing is billed here.';
comment on column posture.SecureScores.CurrentScore is 'Points reached.';
comment on column posture.SecureScores.DisplayName is 'The initiative''s name.';
comment on column posture.SecureScores.Environment is 'Azure.';
comment on column posture.SecureScores._IsBillable is 'Always null: nothing is billed here.';
comment on column posture.SecureScores.IsSnapshot is 'Always true: every observation is part of a whole run.';
comment on column posture.SecureScores.MaxScore is 'Points that can be reached.';
comment on column posture.SecureScores.PercentageScore is 'current / max, 0..1; null where nothing is scored.';
comment on column posture.SecureScores.Properties is 'The record''s properties, as received.';
comment on column posture.SecureScores._ResourceId is 'Always null.';
comment on column posture.SecureScores.ResourceProviderType is 'The record''s type.';
comment on column posture.SecureScores.SecureScoresSubscriptionId is 'The subscription.';
comment on column posture.SecureScores.SourceSystem is 'Always null: no agent collected it.';
comment on column posture.SecureScores._SubscriptionId is 'The subscription.';
comment on column posture.SecureScores.TenantId is 'Always null: there is no Log Analytics workspace.';
comment on column posture.SecureScores.TimeGenerated is 'When it was observed, UTC.';
comment on column posture.SecureScores.Type is 'The table''s name.';
comment on column posture.SecureScores.Weight is 'Microsoft''s weight for rolling scores up.';

comment on column posture.changes.observed_at is 'When it was observed, UTC.';
comment on column posture.changes.day is 'The day (UTC) of observed_at.';
comment on column posture.changes.previous_observed_at is 'When the fetch before was made, UTC.';
comment on column posture.changes.subscription_id is 'The subscription, lower case.';
comment on column posture.daily_score.subscription_name is 'What the subscription was called then; null where it was not known.';
comment on column posture.changes.subscription_name is 'What the subscription was called then; null where it was not known.';
comment on column posture.changes.appeared is 'Whether the fetch before had not seen the control.';
comment on column posture.changes.disappeared is 'Whether this fetch no longer saw the control.';
comment on column posture.changes.points is 'Points gained since the fetch before; negative: lost.';
comment on column posture.changes.points_max is 'Points that could be reached, more than before; negative: fewer.';
comment on column posture.changes.resources_fixed is 'Resources fixed; negative: broken.';
comment on column posture.changes.resources_more is 'Resources that count, more than before; negative: fewer.';
comment on column posture.changes.points_by_fixes is 'Points moved by resources fixed or broken.';
comment on column posture.changes.points_by_controls is 'Points moved since the control appeared or disappeared.';
comment on column posture.changes.points_by_maximum is 'Points moved by another maximum.';
comment on column posture.changes.points_by_resources is 'Points moved by resources that came or went, rounding included.';
comment on column posture.changes.fraction is 'The part of this change in the move of the score''s fraction: they add up to it.';
comment on column posture.changes.fetch_id is 'The fetch that saw it, as in raw.fetches.';
comment on column posture.changes.run_id is 'The run that read it (Dagster run id).';

comment on column posture.control_history.observed_at is 'When it was observed, UTC.';
comment on column posture.control_history.cloud_partition is 'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column posture.control_history.subscription_id is 'The subscription, lower case.';
comment on column posture.control_history.control_id is 'The control''s name: the GUID of its definition.';
comment on column posture.control_history.control is 'The control''s display name.';
comment on column posture.control_history.run_id is 'The run that read it (Dagster run id).';

comment on column posture.coverage.subscription_id is 'The subscription, lower case.';
comment on column posture.coverage.subscription_name is 'What the subscription is called; null where it is not known.';
comment on column posture.coverage.last_complete_at is 'The last complete fetch, UTC.';
comment on column posture.coverage.age is 'How long ago that was.';
comment on column posture.coverage.last_fetch_at is 'The last fetch, UTC.';
comment on column posture.coverage.last_outcome is 'How the last fetch ended.';
comment on column posture.coverage.last_failure_at is 'The last fetch that failed, UTC.';
comment on column posture.coverage.last_failure is 'Why it failed and what to do.';
comment on column posture.coverage.days_complete is 'Days (UTC) with a complete fetch.';
comment on column posture.coverage.days_missed is 'Days without one since the first, while it was in scope: as many as in posture.gaps; 0 where days_complete is 0.';
comment on column posture.coverage.state is 'in_scope; left (out of scope: no current view has it); or unreadable (in scope, but the last fetch failed).';
comment on column posture.coverage.reason is
    'Why it left: deleted, disabled, not_listed (Azure lists it no longer), moved (out of the management group), excluded (by a setting), unknown; why it is unreadable: the outcome of the last fetch.';
comment on column posture.coverage.since is 'Since when it is in that state, UTC: when it was noticed.';
comment on column posture.coverage.is_in_scope is 'Whether it is in scope, unreadable or not.';

comment on column posture.current_controls.cloud_partition is 'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column posture.current_controls.subscription_id is 'The subscription, lower case.';
comment on column posture.current_controls.observed_at is 'When it was observed, UTC.';
comment on column posture.current_controls.run_id is 'The run that read it (Dagster run id).';

comment on column posture.current_scores.cloud_partition is 'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column posture.current_scores.subscription_id is 'The subscription, lower case.';
comment on column posture.current_scores.observed_at is 'When it was observed, UTC.';
comment on column posture.current_scores.is_latest_fetch is 'Whether no later fetch, failed or without a score, followed.';
comment on column posture.current_scores.run_id is 'The run that read it (Dagster run id).';

comment on column posture.gaps.subscription_name is 'What the subscription is called; null where it is not known.';
comment on column posture.gaps.day is 'The day (UTC) without a complete fetch.';
comment on column posture.gaps.subscription_id is 'The subscription, lower case.';

comment on column posture.opportunities.cloud_partition is 'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column posture.opportunities.subscription_id is 'The subscription, lower case.';
comment on column posture.opportunities.points_to_win is 'The potential increase in points: max - current.';
comment on column posture.opportunities.unhealthy_resources is 'Resources that lose points.';
comment on column posture.opportunities.points_per_resource is 'Points that one fixed resource gains: max / (healthy + unhealthy).';
comment on column posture.opportunities.fraction_to_win is 'The potential increase of the subscription''s score, 0..1.';
comment on column posture.opportunities.place is 'Its place among all controls of this score in the tenant, 1 for the most points.';
comment on column posture.opportunities.observed_at is 'When it was observed, UTC.';

comment on column posture.score_history.observed_at is 'When it was observed, UTC.';
comment on column posture.score_history.day is 'The day, UTC.';
comment on column posture.score_history.is_last_of_day is 'Whether it is the finding''s last observation of that day.';
comment on column posture.score_history.cloud_partition is 'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column posture.score_history.subscription_id is 'The subscription, lower case.';
comment on column posture.score_history.score is 'The name of the score: ascScore, which totals count, or another beside it.';
comment on column posture.score_history.fraction is 'current / max, 0..1; null where nothing is scored or no score was given.';
comment on column posture.score_history.run_id is 'The run that read it (Dagster run id).';

comment on column posture.tenant_score.cloud_partition is 'The Azure cloud, as the Azure command line names it; the host of a local Azure.';
comment on column posture.tenant_score.points is 'Points of all of them together; fraction is not points / points_max, but the average by weight.';
comment on column posture.tenant_score.points_max is 'Points that could be reached.';
comment on column posture.tenant_score.subscriptions is 'Subscriptions that had a score.';

comment on column raw.rejected.run_id is 'The run that read it (Dagster run id).';
comment on column raw.rejected.subscription_id is 'The subscription, lower case.';
comment on column raw.rejected.reason is 'Why it cannot be a finding.';

comment on column posture.score_history.status is 'Pass (100 %), Fail (less), Warning, Not applicable or Not scored.';
comment on column posture.control_history.status is 'Pass (100 %), Fail (less), Warning, Not applicable or Not scored.';
comment on column posture.current_scores.status is 'Pass (100 %), Fail (less), Warning, Not applicable or Not scored.';
comment on column posture.current_controls.status is 'Pass (100 %), Fail (less), Warning, Not applicable or Not scored.';
