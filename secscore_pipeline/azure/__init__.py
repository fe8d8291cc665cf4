"""Speaks to Azure: HTTP, MSAL and Azure's JSON. Knows nothing of Dagster or DuckDB."""
