-- One row: the newest sync of a feed.
select max_by(sync_id, fetch_id) as sync_id
from raw.fetches
where feed = $feed;
