-- How many subscriptions a sync was to read, so that one that lacks a batch is not taken for a complete one.
alter table raw.fetches add column subscriptions_in_scope integer;
comment on column raw.fetches.subscriptions_in_scope is
    'How many subscriptions of the feed were in scope when the run listed them; null for fetches of older versions.';
