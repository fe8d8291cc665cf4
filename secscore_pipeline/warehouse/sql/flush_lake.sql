-- Writes the rows that the catalog holds itself, since they were few, to files.
from ducklake_flush_inlined_data(current_database());
