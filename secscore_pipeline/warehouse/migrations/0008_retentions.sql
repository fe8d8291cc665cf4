-- What a retention has deleted: who publishes the store does not take it for lost.
create table meta.retentions (cutoff timestamptz not null);
comment on table meta.retentions is 'One row: everything that was observed before a moment has been deleted, by the wish of who keeps the store.';
comment on column meta.retentions.cutoff is 'That moment, UTC.';
