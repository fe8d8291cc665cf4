"""What writes documents, takes pictures and makes lock files."""
