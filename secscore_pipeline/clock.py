"""The one place where the time is read: everything else is handed a clock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""A function that returns the present as an aware datetime in UTC."""

_shift = timedelta()


def utc_now() -> datetime:
    """Return the present time, aware, in UTC, cut to whole milliseconds as OCSF's times are."""
    now = datetime.now(UTC) + _shift
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Set the clock of this process to go on from another moment: a simulation's days pass faster than ours."""
    global _shift  # there is one clock, as there is one time
    before, _shift = _shift, moment - datetime.now(UTC)
    try:
        yield
    finally:
        _shift = before
