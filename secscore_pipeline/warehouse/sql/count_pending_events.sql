-- One row: how many events of findings the snapshots bring that are not normalized yet.
select
    (
        select count(*)
        from raw.sightings as sightings
        join ocsf.states as states using (body_id)
        where states.finding_id is not null
            and sightings.look_id in (select paired.look_id from paired)
    ) + (
        select count(*)
        from ocsf.closings as closings
        where closings.look_id in (select paired.look_id from paired)
    ) as events;
