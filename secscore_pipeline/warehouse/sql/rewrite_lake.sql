-- Writes files anew of which much was deleted.
from ducklake_rewrite_data_files(current_database());
