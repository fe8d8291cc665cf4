"""Tests of secscore_pipeline: they go over real HTTP, TLS, MSAL, DuckDB and Dagster."""
