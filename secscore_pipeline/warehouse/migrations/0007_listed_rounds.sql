-- One list serves all runs of a round.
alter table raw.listings add column round_id varchar;
update raw.listings set round_id = snapshot_id;
comment on column raw.listings.round_id is 'The round that the list is for: all runs that together look at every subscription of a feed once.';
