"""The settings and feeds: their names, types and defaults, and their checking."""
