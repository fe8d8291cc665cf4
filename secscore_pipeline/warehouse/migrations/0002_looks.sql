-- When a look counts as made, apart from what the clock said; and both raw tables seen as one.
alter table raw.fetches add column observed_at timestamptz;
update raw.fetches set observed_at = finished_at;
comment on column raw.fetches.observed_at is
    'When the look counts as made, UTC: finished_at, or later where the clock had been set back since the snapshot before.';

create view raw.records as
select 'secure_scores' as event_type, columns(*) from raw.secure_scores
union all
select 'secure_score_controls' as event_type, columns(*) from raw.secure_score_controls;
comment on view raw.records is 'One row: one record of either raw table, with its event type.';
