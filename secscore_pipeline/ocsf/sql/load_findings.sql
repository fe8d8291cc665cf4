-- One row: one finding that was not met before; how it stands is filled in once its versions are parsed. It is of the
-- event type and subscription that its id was first seen with: of others, what has the id is rejected when it is parsed.
insert into internal.findings (finding_id, finding_uid, event_type, subscription_id, first_seen_time)
select
    (select coalesce(max(known.finding_id), 0) from internal.findings as known)
        + row_number() over (order by min(new_versions.version_id)),
    new_versions.finding_uid,
    arg_min(new_versions.event_type, new_versions.version_id),
    arg_min(new_versions.subscription_id, new_versions.version_id),
    min(new_versions.time)
from (
    select finding_uid, event_type, subscription_id, version_id, time, rejection
    from new_versions
    union all
    select finding_uid, event_type, subscription_id, version_id, time, rejection
    from new_assessments
) as new_versions
anti join internal.findings as known using (finding_uid)
where new_versions.rejection is null
group by new_versions.finding_uid;
