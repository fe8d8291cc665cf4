-- One row: the body before the first that is not worked out, and the last; the same where all are.
select coalesce(min(body_id) - 1, 0) as worked_out, coalesce(max(body_id), 0) as stored
from raw.bodies
where body_id > (select coalesce(max(states.body_id), 0) from ocsf.states as states);
