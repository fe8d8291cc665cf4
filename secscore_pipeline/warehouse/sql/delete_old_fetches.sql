-- Lets go of every look before $cutoff, but for the newest complete one of each subscription and event type: what the
-- first look that stays is compared with. What that one no longer saw goes: a rebuild could not tell it from anything.
-- Of a subscription that left before $cutoff and has not been read since, nothing stays but its findings' baselines.
-- Findings keep when they were first seen and last changed.
create or replace temp table kept as
select look_id
from raw.fetches
where observed_at >= $cutoff
union
select max(look_id)
from ocsf.fetches_and_departures
where observed_at < $cutoff
    and outcome in ('complete', 'left')
group by event_type, subscription_id;

create or replace temp table remembered as
select
    findings.finding_uid,
    findings.event_type,
    findings.subscription_id,
    findings.first_seen_time,
    max(sightings.body_id) as body_id
from raw.sightings as sightings
join raw.fetches as fetches using (look_id)
join ocsf.states as states using (body_id)
join ocsf.findings as findings using (finding_id)
where fetches.observed_at < $cutoff
group by all;

delete from ocsf.baselines as baselines
using remembered
where baselines.finding_uid = remembered.finding_uid;

insert into ocsf.baselines (finding_uid, event_type, subscription_id, first_seen_time, modified_time, numbers)
select
    remembered.finding_uid,
    remembered.event_type,
    remembered.subscription_id,
    remembered.first_seen_time,
    states.modified_time,
    ocsf.numbers_of(
        states."current", states."max", states.percentage, states.weight, states.healthy, states.unhealthy,
        states.not_applicable, definitions.definition.max_score
    )
from remembered
join ocsf.states as states using (body_id)
left join ocsf.definitions as definitions using (definition_id);

delete from raw.sightings where look_id not in (select kept.look_id from kept);
delete from ocsf.closings
where look_id not in (select fetches.look_id from ocsf.fetches_and_departures as fetches where observed_at >= $cutoff);
delete from raw.fetches where look_id not in (select kept.look_id from kept);
delete from ocsf.departures where observed_at < $cutoff;
delete from ocsf.normalized_snapshots
where snapshot_id not in (select fetches.snapshot_id from ocsf.fetches_and_departures as fetches);
delete from raw.scope_changes
where observed_at < $cutoff
    and (
        look_id not in (
            select max(older.look_id)
            from raw.scope_changes as older
            where older.observed_at < $cutoff
            group by older.subscription_id
        )
        or state = 'left'
    );
delete from raw.bodies where body_id not in (select sightings.body_id from raw.sightings as sightings);
delete from raw.slots where body_id not in (select bodies.body_id from raw.bodies as bodies);
delete from ocsf.states where body_id not in (select bodies.body_id from raw.bodies as bodies);
delete from raw.subscriptions
where entity_id not in (select fetches.entity_id from raw.fetches as fetches where fetches.entity_id is not null)
    and entity_id not in (
        select max(newest.entity_id) from raw.subscriptions as newest group by newest.feed, newest.subscription_id
    );
delete from ocsf.entities where entity_id not in (select subscriptions.entity_id from raw.subscriptions as subscriptions);
delete from raw.listings
where listed_at < $cutoff
    and listing_id not in (select subscriptions.listing_id from raw.subscriptions as subscriptions);

update raw.bodies as bodies
set first_look_id = firsts.look_id
from (
    select body_id, min(look_id) as look_id
    from raw.sightings
    group by body_id
) as firsts
where firsts.body_id = bodies.body_id
    and firsts.look_id <> bodies.first_look_id;

insert into meta.retentions (cutoff)
values ($cutoff);
