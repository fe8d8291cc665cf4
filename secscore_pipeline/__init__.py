"""Azure secure scores in, OCSF Assessment Findings in DuckDB out."""
