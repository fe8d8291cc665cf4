-- One row: one control definition that was not met before.
insert into ocsf.definitions (definition_id, definition)
select
    (select coalesce(max(known.definition_id), 0) from ocsf.definitions as known)
        + row_number() over (order by min(news.body_id)),
    news.definition
from news
anti join ocsf.definitions as known on known.definition = news.definition
where news.rejection is null
    and news.definition is not null
group by news.definition;
