-- One row: one finding that was not met before; how it stands is filled in once its states are.
insert into ocsf.findings (finding_id, finding_uid, event_type, subscription_id, first_seen_time)
select
    (select coalesce(max(known.finding_id), 0) from ocsf.findings as known)
        + row_number() over (order by min(news.body_id)),
    news.finding_uid,
    any_value(news.event_type),
    any_value(news.subscription_id),
    min(news.time)
from news
anti join ocsf.findings as known using (finding_uid)
where news.rejection is null
group by news.finding_uid;
