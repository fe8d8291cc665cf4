"""Tells people what needs them: what happened, over which channel, and once."""
