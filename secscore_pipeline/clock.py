"""The one place where the time is read: everything else is handed a clock."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""A function that returns the present as an aware datetime in UTC."""


def utc_now() -> datetime:
    """Return the present time, aware, in UTC, cut to whole milliseconds as OCSF's times are."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
