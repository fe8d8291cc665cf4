-- Deletes the files that nothing has referred to since $unused_since.
from ducklake_cleanup_old_files(current_database(), older_than => $unused_since);
