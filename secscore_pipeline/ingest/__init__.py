"""From Azure into the raw tables: scope, batches, fetches, and the connection test. Knows no Dagster."""
