"""Alerts: what happened that somebody must act on, delivered once over each channel."""
