-- When each subscription came into the scope of a feed, when it left, and why.
create table raw.scope_changes (
    look_id bigint not null,
    snapshot_id varchar not null,
    feed varchar not null,
    subscription_id varchar not null,
    state varchar not null,
    reason varchar,
    changed_at timestamptz not null,
    observed_at timestamptz not null,
    stored_at timestamptz not null
);
create table ocsf.departures (
    look_id bigint not null,
    event_type varchar not null,
    subscription_id varchar not null,
    snapshot_id varchar not null,
    feed varchar not null,
    reason varchar not null,
    changed_at timestamptz not null,
    observed_at timestamptz not null,
    stored_at timestamptz not null,
    last_look_id bigint not null
);
alter table ocsf.closings add column reason varchar;

comment on table raw.scope_changes is 'One row: one change of a subscription''s place in the scope: it was read, or it left, and why. Append-only.';
comment on column raw.scope_changes.look_id is
    'The change''s number among those of raw.fetches, in the order they were stored; the number after it is the change''s too.';
comment on column raw.scope_changes.snapshot_id is 'The run that noticed it (Dagster run id).';
comment on column raw.scope_changes.feed is 'The feed whose scope it is.';
comment on column raw.scope_changes.subscription_id is 'The subscription, lower case.';
comment on column raw.scope_changes.state is 'in_scope or left.';
comment on column raw.scope_changes.reason is
    'Why it left: deleted, disabled, not_listed (Azure lists it no longer), moved (out of the management group), excluded (by a setting), or unknown.';
comment on column raw.scope_changes.changed_at is 'When it was noticed, UTC.';
comment on column raw.scope_changes.observed_at is
    'When it counts as noticed, UTC: changed_at, or later where the clock was behind that of the fetch before.';
comment on column raw.scope_changes.stored_at is 'When it was written to this file, UTC.';
comment on table ocsf.departures is
    'One row: one subscription that left the scope and one event type of which it had been read: it closes the findings.';
comment on column ocsf.departures.look_id is 'Its number among those of raw.fetches: that of raw.scope_changes, or the one after it.';
comment on column ocsf.departures.event_type is 'secure_scores or secure_score_controls.';
comment on column ocsf.departures.subscription_id is 'The subscription, lower case.';
comment on column ocsf.departures.snapshot_id is 'The run that noticed it (Dagster run id).';
comment on column ocsf.departures.feed is 'The feed whose scope it left.';
comment on column ocsf.departures.reason is 'Why it left, as in raw.scope_changes.';
comment on column ocsf.departures.changed_at is 'When it was noticed, UTC.';
comment on column ocsf.departures.observed_at is 'When it counts as noticed, UTC, as in raw.scope_changes.';
comment on column ocsf.departures.stored_at is 'When it was written to this file, UTC.';
comment on column ocsf.departures.last_look_id is 'The last complete fetch before it, as in raw.fetches.';
comment on table ocsf.closings is
    'One row: one finding that ended: a complete look no longer saw what the one before had seen, or the subscription left the scope.';
comment on column ocsf.closings.reason is
    'Why the subscription left the scope, as in raw.scope_changes; null: a complete fetch no longer saw the record.';

-- What an older store tells: who was read is in scope; who is no longer read, or no longer listed, has left.
insert into raw.scope_changes by name
with fetched as (
    select
        subscription_id,
        max_by(feed, look_id) as feed,
        max(look_id) as last_look_id,
        max_by(round_id, look_id) as last_round_id,
        max(observed_at) as last_observed_at,
        min(least(observed_at, finished_at)) as changed_at,
        min(observed_at) as observed_at,
        min_by(snapshot_id, look_id) as snapshot_id
    from raw.fetches
    group by subscription_id
),
newest_syncs as (
    select feed, max_by(round_id, look_id) as round_id
    from raw.fetches
    group by feed
),
-- A sync of several batches may lack one: it tells who left only where it read as many as were in scope.
telling_syncs as (
    select feed, round_id
    from raw.fetches
    semi join newest_syncs using (feed, round_id)
    group by feed, round_id
    having bool_and(round_id = snapshot_id)
        or count(distinct subscription_id) >= min(subscriptions_in_scope)
),
in_newest_syncs as (
    select distinct feed, subscription_id
    from raw.fetches
    semi join newest_syncs using (feed, round_id)
),
listed as (
    select
        feed,
        subscription_id,
        max_by(coalesce(lower(record ->> '$.state'), 'not_listed'), entity_id) as state,
        max_by(listed_at, entity_id) as listed_at
    from raw.subscriptions
    join raw.listings using (listing_id, feed)
    group by feed, subscription_id
),
departed as (
    select
        fetched.*,
        case
            when listed.state in ('not_listed', 'deleted', 'disabled') then listed.state
            when listed.state is null then 'unknown'
            else 'excluded'
        end as reason,
        listed.listed_at
    from fetched
    left join listed using (feed, subscription_id)
    anti join in_newest_syncs using (feed, subscription_id)
    where listed.state in ('not_listed', 'deleted', 'disabled')
        or exists (from telling_syncs where telling_syncs.feed = fetched.feed)
),
-- Since when: the list that said so, or the first fetch of the feed that passed the subscription over.
passed_over as (
    select departed.subscription_id, min_by(least(later.observed_at, later.finished_at), later.look_id) as passed_at
    from departed
    join raw.fetches as later
        on later.feed = departed.feed
        and later.look_id > departed.last_look_id
        and later.round_id <> departed.last_round_id
    group by departed.subscription_id
),
changes as (
    select snapshot_id, feed, subscription_id, 'in_scope' as state, null as reason, changed_at, observed_at
    from fetched
    union all
    select
        'migration',
        departed.feed,
        departed.subscription_id,
        'left',
        departed.reason,
        coalesce(if(departed.reason in ('unknown', 'excluded'), null, departed.listed_at), passed_over.passed_at, now()),
        -- Its findings are closed now: who follows them by time would miss what is dated back.
        greatest(now(), departed.last_observed_at + interval 1 millisecond)
    from departed
    left join passed_over using (subscription_id)
)
select
    (select max(look_id) from raw.fetches) + 2 * row_number() over (order by state, subscription_id) as look_id,
    snapshot_id,
    feed,
    subscription_id,
    state,
    reason,
    changed_at,
    observed_at,
    now() as stored_at
from changes;
