-- Deletes every fetch before $cutoff, but for the newest complete one of each subscription and event type: what the
-- first fetch that stays is compared with. What that one no longer saw goes: a rebuild could not tell it from anything.
-- Of a subscription that left before $cutoff and has not been read since, nothing stays but its findings' baselines.
-- Findings keep when they were first seen and last changed.
create or replace temp table kept_fetches as
select fetch_id
from raw.fetches
where observed_at >= $cutoff
union
select max(fetch_id)
from internal.fetches_and_departures
where observed_at < $cutoff
    and outcome in ('complete', 'left')
group by event_type, subscription_id;

create or replace temp table baseline_findings as
select
    findings.finding_uid,
    findings.event_type,
    findings.subscription_id,
    findings.first_seen_time,
    max(observations.version_id) as version_id
from internal.observations as observations
join raw.fetches as fetches using (fetch_id)
join internal.parsed_versions as parsed using (version_id)
join internal.findings as findings using (finding_id)
where fetches.observed_at < $cutoff
group by all;

delete from internal.baselines as baselines
using baseline_findings
where baselines.finding_uid = baseline_findings.finding_uid;

insert into internal.baselines
    (finding_uid, event_type, subscription_id, first_seen_time, modified_time, numbers, has_events)
select
    baseline_findings.finding_uid,
    baseline_findings.event_type,
    baseline_findings.subscription_id,
    baseline_findings.first_seen_time,
    parsed.modified_time,
    internal.numbers_of(
        parsed."current", parsed."max", parsed.percentage, parsed.weight, parsed.healthy, parsed.unhealthy,
        parsed.not_applicable, definitions.definition.max_score
    ),
    true
from baseline_findings
join internal.parsed_versions as parsed using (version_id)
left join internal.control_definitions as definitions using (definition_id);

create or replace temp table remembered_assessments as
select
    findings.finding_uid,
    findings.event_type,
    findings.subscription_id,
    findings.first_seen_time,
    parsed.modified_time,
    parsed.state,
    findings.finding_id in (
        select changes.finding_id
        from internal.recommendation_events as changes
        join internal.fetches_and_departures as earlier using (fetch_id)
        where changes.activity_id is not null
            and earlier.observed_at < $cutoff
            and earlier.fetch_id not in (select kept_fetches.fetch_id from kept_fetches)
    ) as has_events
from internal.record_spans as spans
join raw.fetches as fetches on fetches.fetch_id = spans.first_fetch_id
join internal.parsed_assessments as parsed using (version_id)
join internal.findings as findings using (finding_id)
where fetches.observed_at < $cutoff
qualify row_number() over (partition by findings.finding_uid order by spans.first_fetch_id desc) = 1;

delete from internal.baselines as baselines
using remembered_assessments
where baselines.finding_uid = remembered_assessments.finding_uid;

insert into internal.baselines
    (finding_uid, event_type, subscription_id, first_seen_time, modified_time, numbers, has_events)
select finding_uid, event_type, subscription_id, first_seen_time, modified_time, state, has_events
from remembered_assessments;

-- What ended before $cutoff goes; what a fetch before it saw first, and a later one too, begins with the fetch that stays.
delete from internal.record_spans
where ended_fetch_id in (
    select fetches.fetch_id
    from internal.fetches_and_departures as fetches
    where fetches.observed_at < $cutoff
    union all
    select changes.fetch_id + 2
    from raw.scope_changes as changes
    where changes.observed_at < $cutoff
);

create or replace temp table shortened_spans as
select spans.version_id, spans.first_fetch_id, baselines.fetch_id, remembered.has_events
from internal.record_spans as spans
left join internal.parsed_assessments as parsed using (version_id)
left join internal.findings as findings using (finding_id)
left join remembered_assessments as remembered using (finding_uid)
join (
    select fetches.event_type, fetches.subscription_id, max(fetches.fetch_id) as fetch_id
    from raw.fetches as fetches
    where fetches.observed_at < $cutoff
        and fetches.outcome = 'complete'
    group by fetches.event_type, fetches.subscription_id
) as baselines
    on baselines.event_type = spans.event_type
    and baselines.subscription_id = spans.subscription_id
    and baselines.fetch_id > spans.first_fetch_id;

update internal.record_spans as spans
set first_fetch_id = shortened_spans.fetch_id
from shortened_spans
where shortened_spans.version_id = spans.version_id
    and shortened_spans.first_fetch_id = spans.first_fetch_id;

update internal.recommendation_events as changes
set
    fetch_id = shortened_spans.fetch_id,
    change = 'came',
    activity_id = if(shortened_spans.has_events, 2, null),
    previous_version_id = null
from shortened_spans
where shortened_spans.version_id = changes.version_id
    and shortened_spans.first_fetch_id = changes.fetch_id;

delete from internal.recommendation_events
where fetch_id not in (
    select fetches.fetch_id
    from internal.fetches_and_departures as fetches
    where fetches.observed_at >= $cutoff
        or fetches.fetch_id in (select kept_fetches.fetch_id from kept_fetches)
);

delete from internal.observations where fetch_id not in (select kept_fetches.fetch_id from kept_fetches);
delete from internal.closings
where fetch_id not in (
    select fetches.fetch_id
    from internal.fetches_and_departures as fetches
    where observed_at >= $cutoff
);
delete from raw.fetches where fetch_id not in (select kept_fetches.fetch_id from kept_fetches);
delete from internal.departures where observed_at < $cutoff;
delete from internal.normalized_fetches
where run_id not in (select fetches.run_id from internal.fetches_and_departures as fetches);
delete from raw.scope_changes
where observed_at < $cutoff
    and (
        fetch_id not in (
            select max(older.fetch_id)
            from raw.scope_changes as older
            where older.observed_at < $cutoff
            group by older.subscription_id
        )
        or state = 'left'
    );
delete from internal.record_versions
where version_id not in (select observations.version_id from internal.observations as observations)
    and version_id not in (select spans.version_id from internal.record_spans as spans);
delete from internal.latest_versions
where version_id not in (select versions.version_id from internal.record_versions as versions);
delete from internal.parsed_versions
where version_id not in (select versions.version_id from internal.record_versions as versions);
delete from internal.parsed_assessments
where version_id not in (select versions.version_id from internal.record_versions as versions);
-- How a finding stood is in its newest version as long as there is one.
update internal.findings as findings
set
    newest_version_id = 0,
    modified_time = baselines.modified_time,
    numbers = baselines.numbers
from internal.baselines as baselines
where baselines.finding_uid = findings.finding_uid
    and baselines.event_type = 'assessments'
    and findings.finding_id not in (
        select parsed.finding_id
        from internal.parsed_assessments as parsed
        where parsed.finding_id is not null
    );
delete from internal.parsed_metadata
where version_id not in (select versions.version_id from internal.record_versions as versions);
delete from raw.subscriptions
where subscription_version_id not in (
        select fetches.subscription_version_id
        from raw.fetches as fetches
        where fetches.subscription_version_id is not null
    )
    and subscription_version_id not in (
        select max(newest.subscription_version_id)
        from raw.subscriptions as newest
        group by newest.feed, newest.subscription_id
    );
delete from internal.subscription_versions
where subscription_version_id not in (
    select subscriptions.subscription_version_id
    from raw.subscriptions as subscriptions
);
delete from raw.listings
where listed_at < $cutoff
    and listing_id not in (select subscriptions.listing_id from raw.subscriptions as subscriptions);

update internal.record_versions as versions
set first_fetch_id = firsts.fetch_id
from (
    select version_id, min(fetch_id) as fetch_id
    from (
        select version_id, fetch_id from internal.observations
        union all
        select version_id, first_fetch_id as fetch_id from internal.record_spans
    )
    group by version_id
) as firsts
where firsts.version_id = versions.version_id
    and firsts.fetch_id <> versions.first_fetch_id;

insert into meta.retentions (cutoff)
values ($cutoff);
