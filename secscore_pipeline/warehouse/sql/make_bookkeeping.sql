-- Makes the schema meta of an empty database, and the table of what the database has had of our schema.
create schema meta;

create table meta.migrations (
    version integer primary key,
    name varchar not null,
    applied_at timestamptz default now()
);
comment on table meta.migrations is 'One row: one step of the schema that this file has had.';
comment on column meta.migrations.version is 'The step''s number.';
comment on column meta.migrations.name is 'The step''s file.';
comment on column meta.migrations.applied_at is 'When it was applied, UTC.';
