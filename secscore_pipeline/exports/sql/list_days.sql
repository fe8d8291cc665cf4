-- One row: one day (UTC) with normalized looks, and what says that its events are the ones that were there before: the
-- looks, and the version of the views that make events of them.
select
    ocsf.day_of(fetches.observed_at) as day,
    count(*) || '-' || min(fetches.look_id) || '-' || max(fetches.look_id) || '-' || any_value(views.digest)[1:12]
        as fingerprint
from ocsf.fetches_and_departures as fetches
join ocsf.normalized_snapshots as normalized using (snapshot_id, event_type)
cross join meta.views as views
group by day
order by day;
