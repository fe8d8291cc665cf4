"""The views that analysts query, and the Python access to them."""
