"""`secscore`, the command line: a module for each group of commands.

A command's module is imported when the command is called. What takes longer to load (Dagster, DuckDB, HTTP, the local
Azure) is imported by the function that needs it: the help and the completion of a command then take 0.1 to 0.2 s of
processor time instead of 1.7 s.
"""
