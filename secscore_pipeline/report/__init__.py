"""The report for people who do not query: one HTML file that needs nothing else."""
