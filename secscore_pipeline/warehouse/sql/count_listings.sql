-- One row: how many lists the runs of a round have stored for a feed.
select count(*)
from raw.listings
where round_id = $round_id
    and feed = $feed;
