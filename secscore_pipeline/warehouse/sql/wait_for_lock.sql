-- Holds the catalog's advisory lock until the transaction ends. A process whose machine or network is gone loses it within
-- a minute: by itself PostgreSQL would ask after two hours whether it is still there.
from postgres_query(
    '__ducklake_metadata_' || $lake,
    'select
        set_config(''tcp_keepalives_idle'', ''30'', true) as idle,
        set_config(''tcp_keepalives_interval'', ''10'', true) as interval,
        set_config(''tcp_keepalives_count'', ''3'', true) as count,
        set_config(''lock_timeout'', ''' || $patience || ''', true) as patience,
        pg_advisory_xact_lock(' || $lock || ')::text as lock'
);
