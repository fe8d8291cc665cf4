-- One row: one finding that was not met before; how it stands is filled in once its parsed_versions are.
insert into internal.findings (finding_id, finding_uid, event_type, subscription_id, first_seen_time)
select
    (select coalesce(max(known.finding_id), 0) from internal.findings as known)
        + row_number() over (order by min(news.version_id)),
    news.finding_uid,
    any_value(news.event_type),
    any_value(news.subscription_id),
    min(news.time)
from news
anti join internal.findings as known using (finding_uid)
where news.rejection is null
group by news.finding_uid;
