-- One row: how many lists the runs of a sync have stored for a feed.
select count(*)
from raw.listings
where sync_id = $sync_id
    and feed = $feed;
