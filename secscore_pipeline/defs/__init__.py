"""Everything that imports Dagster: assets, checks, jobs, schedules, sensors and resources."""
