"""Exports: findings and views as files, in a folder or any store that fsspec knows."""
