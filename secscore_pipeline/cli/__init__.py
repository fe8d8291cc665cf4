"""`secscore`, the command line: a module for each group of commands.

What takes long to load (Dagster, DuckDB, pandas, the local Azure) is imported by the function that needs it, not by the
module: `secscore --help` and the completion of a shell then take 0.3 s of processor time instead of 1.7 s.
"""
