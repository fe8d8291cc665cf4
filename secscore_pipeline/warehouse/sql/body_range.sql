-- One row: the last body that is worked out, and the last there is.
select
    (select coalesce(max(body_id), 0) from ocsf.states) as worked_out,
    (select coalesce(max(body_id), 0) from raw.bodies) as stored;
