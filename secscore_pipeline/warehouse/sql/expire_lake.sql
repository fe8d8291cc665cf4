-- Deletes how the lake was before $before.
from ducklake_expire_snapshots(current_database(), older_than => $before);
