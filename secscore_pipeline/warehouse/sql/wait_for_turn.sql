-- Holds the catalog's advisory lock until the transaction ends.
from postgres_query('__ducklake_metadata_' || $lake, 'select pg_advisory_xact_lock(' || $lock || ')::text');
