"""The assets, one module a layer. Thin: they join the rooms below and say in Dagster's words what was done."""
