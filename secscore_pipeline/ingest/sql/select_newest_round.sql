-- One row: the newest round of a feed.
select max_by(round_id, look_id) as round_id
from raw.fetches
where feed = $feed;
