-- What must be remembered of findings whose first looks a retention has let go.
create table ocsf.baselines (
    finding_uid varchar not null,
    event_type varchar not null,
    subscription_id varchar not null,
    first_seen_time bigint not null,
    modified_time bigint,
    numbers varchar
);
comment on table ocsf.baselines is 'One row: one finding as it stood at the last look that a retention has let go; a rebuild begins there.';
