-- One row: how many bytes the files of a lake have, without those of its past.
select coalesce(sum(file_size_bytes + delete_file_size_bytes), 0)
from ducklake_table_info(current_database());
