"""Bounds the memory that DuckDB takes, so that what a run needs grows little with what it reads."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import duckdb

_Result = TypeVar("_Result")

FRUGAL_MEMORY = 112_000_000
"""Bytes that DuckDB may use before it spills to disk where a run stores or checks."""

_LIMITS = (FRUGAL_MEMORY, 512_000_000)
"""Bytes that it may use, try by try: not everything can be spilled."""


def limit_memory(connection: duckdb.DuckDBPyConnection, work: Callable[[], _Result]) -> _Result:
    """Do the work in little memory, and again in more where that was too little; in the end in all that it had before.

    Args:
        connection: to the database that does the work.
        work: what is to be done; what it has done when it runs out of memory is taken back, or done anew.

    Returns:
        What the work returns.
    """
    (before, available) = connection.execute(
        "select current_setting('memory_limit'), parse_formatted_bytes(current_setting('memory_limit'))"
    ).fetchone() or ("", 0)
    # Set, not reset: DuckDB 1.5's RESET changes the setting and leaves its buffer pool as it was. It cuts what it tells
    # to a tenth of a unit: half of one more is told as the same again.
    number, unit = before.split()
    lift = f"set memory_limit = '{float(number) + 0.05:.2f} {unit}'"
    try:
        for limit in _LIMITS:
            if limit < available:
                connection.execute(f"set memory_limit = '{limit}B'")
                with suppress(duckdb.OutOfMemoryException):
                    return work()
        connection.execute(lift)
        return work()
    finally:
        connection.execute(lift)
