-- Joins small files.
from ducklake_merge_adjacent_files(current_database());
