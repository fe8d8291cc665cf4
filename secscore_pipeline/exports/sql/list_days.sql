-- One row: one day (UTC) with normalized fetches, and what says that its events are the ones that were there before: the
-- fetches, and the version of the views that make events of them.
select
    internal.day_of(fetches.observed_at) as day,
    count(*) || '-' || min(fetches.fetch_id) || '-' || max(fetches.fetch_id) || '-' || any_value(views.digest)[1:12]
        as fingerprint
from internal.fetches_and_departures as fetches
join internal.normalized_fetches as normalized using (run_id, event_type)
cross join meta.views as views
group by day
order by day;
