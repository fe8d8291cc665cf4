-- Deletes the files that nothing refers to since $before.
from ducklake_cleanup_old_files(current_database(), older_than => $before);
