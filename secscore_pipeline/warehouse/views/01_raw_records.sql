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
