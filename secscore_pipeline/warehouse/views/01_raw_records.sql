-- One row: one record as Azure sent it, of either event type.
create or replace view raw.records as
select
    fetches.event_type,
    fetches.snapshot_id,
    fetches.tenant_id,
    fetches.subscription_id,
    case when json_valid(bodies.record) then bodies.record ->> '$.id' end as record_id,
    case when json_valid(bodies.record) then bodies.record ->> '$.name' end as name,
    fetches.observed_at,
    sightings.page,
    sightings.position,
    fetches.request_ids[sightings.page] as request_id,
    bodies.record
from raw.sightings as sightings
join raw.fetches as fetches using (look_id)
join raw.bodies as bodies using (body_id);

create or replace view raw.secure_scores as
select * exclude (event_type) from raw.records where event_type = 'secure_scores';

create or replace view raw.secure_score_controls as
select * exclude (event_type) from raw.records where event_type = 'secure_score_controls';

-- One row: one subscription: whether it is in scope, of which feed, and since when.
create or replace view raw.current_scope as
select
    subscription_id,
    max_by(feed, look_id) as feed,
    max_by(state, look_id) as state,
    arg_max_null(reason, look_id) as reason,
    max_by(changed_at, look_id) as since,
    max(look_id) as look_id
from raw.scope_changes
group by subscription_id;

-- Fetches, and departures, which end what the last fetch before them saw, and are otherwise like it.
create or replace view ocsf.fetches_and_departures as
from raw.fetches
union all
select
    fetches.* replace (
        departures.look_id as look_id,
        departures.snapshot_id as snapshot_id,
        departures.snapshot_id as round_id,
        departures.feed as feed,
        departures.changed_at as started_at,
        departures.changed_at as finished_at,
        departures.observed_at as observed_at,
        departures.stored_at as stored_at,
        'left' as outcome,
        0 as records
    )
from ocsf.departures as departures
join raw.fetches as fetches on fetches.look_id = departures.last_look_id;

comment on view raw.current_scope is 'One row: one subscription that was ever read: whether it is in scope, of which feed, and since when.';
comment on column raw.current_scope.since is 'Since when, UTC: when it was noticed.';
comment on view ocsf.fetches_and_departures is
    'One row: one fetch, or one departure: a subscription that left the scope and one event type (outcome: left).';
comment on view raw.records is 'One row: one record as Azure sent it, of either event type.';
comment on view raw.secure_scores is 'One row: one secure score as Azure sent it.';
comment on view raw.secure_score_controls is 'One row: one secure score control, its definition included, as Azure sent it.';
comment on column raw.records.snapshot_id is 'The run that read it (Dagster run id).';
comment on column raw.records.subscription_id is 'The subscription that was read, lower case.';
comment on column raw.records.record_id is 'The record''s own id, as received; null when it has none.';
comment on column raw.records.name is 'The record''s own name, as received; null when it has none.';
comment on column raw.records.observed_at is 'When the subscription was read, UTC: one instant a look.';
comment on column raw.records.request_id is 'x-ms-request-id of that page.';
comment on column raw.secure_scores.snapshot_id is 'The run that read it (Dagster run id).';
comment on column raw.secure_scores.subscription_id is 'The subscription that was read, lower case.';
comment on column raw.secure_scores.name is 'The record''s own name, as received; null when it has none.';
comment on column raw.secure_scores.observed_at is 'When the subscription was read, UTC: one instant a look.';
comment on column raw.secure_score_controls.snapshot_id is 'The run that read it (Dagster run id).';
comment on column raw.secure_score_controls.subscription_id is 'The subscription that was read, lower case.';
comment on column raw.secure_score_controls.name is 'The record''s own name, as received; null when it has none.';
comment on column raw.secure_score_controls.observed_at is 'When the subscription was read, UTC: one instant a look.';
