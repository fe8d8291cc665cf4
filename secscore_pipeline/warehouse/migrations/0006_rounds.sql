-- Which looks belong together where the subscriptions of a feed are dealt into batches, each read by a run of its own.
alter table raw.fetches add column round_id varchar;
update raw.fetches set round_id = snapshot_id;
comment on column raw.fetches.round_id is
    'The round that the run was part of: all runs that together looked at every subscription of a feed once.';
comment on column raw.fetches.observed_at is
    'When the look counts as made, UTC: finished_at, or later where the clock was behind that of the look before.';
