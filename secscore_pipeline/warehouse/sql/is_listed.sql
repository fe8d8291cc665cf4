-- One row: how many lists a run has stored for a feed.
select count(*)
from raw.listings
where snapshot_id = $snapshot_id
    and feed = $feed;
