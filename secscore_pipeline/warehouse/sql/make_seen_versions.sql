-- One row: a record version that a fetch of the run has seen, a new one or the one before.
create or replace temp table seen_versions (fetch_id bigint, page integer, position integer, version_id bigint);
