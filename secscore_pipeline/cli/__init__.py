"""`secscore`, the command line: a module for each group of commands.

What takes long to load (Dagster, DuckDB, pandas, the local Azure) is imported by the function that needs it, not by the
module: so `secscore --help` and the completion of a shell take a third of a second, not three.
"""
