"""What a retention deletes: it counts from what was read, not from a clock that may be wrong."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import pairwise

import duckdb

from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.errors import WarehouseError

PAUSE = timedelta(days=42)
"""The longest time between two fetches, or since the newest, that is taken for one: a longer one is a clock that was
wrong, or a service that stood still, and nothing grows old by either."""

SKEW = timedelta(hours=1)
"""How far the clocks of machines may be apart."""


def get_newest_fetch(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """Return when the newest fetch was observed, UTC; None in an empty store."""
    row = connection.execute(load_sql("warehouse/select_newest_fetch")).fetchone()
    newest: datetime | None = row[0] if row else None
    return newest


def compute_cutoff(connection: duckdb.DuckDBPyConnection, days: int, now: datetime) -> datetime | None:
    """Return the moment, UTC, before which a retention deletes; None in an empty store.

    Args:
        connection: open for reading.
        days: how many days are kept, counted back from the newest fetch.
        now: the time, UTC.

    Raises:
        WarehouseError: the newest fetch is after `now`, or so long before that the clock must be wrong.
    """
    newest = get_newest_fetch(connection)
    if newest is None:
        return None
    if newest - now > SKEW or now - newest > PAUSE:
        what = (
            f"The newest fetch is of {newest:%Y-%m-%d %H:%M} UTC, and this machine's clock says {now:%Y-%m-%d %H:%M}."
        )
        raise WarehouseError(what, "clock-implausible")
    read: list[date] = [day for (day,) in connection.execute(load_sql("warehouse/list_fetch_days")).fetchall()]
    return newest - (read[0] - compute_oldest_kept(read, days))


def compute_oldest_kept(newest_first: Iterable[date], days: int) -> date:
    """Return the first day that is kept, of days on which something happened.

    A pause longer than PAUSE does not count: a fetch that a wrong clock dates a year ahead makes nothing a year older.

    Args:
        newest_first: the days, without repetitions; there is one at least.
        days: how many days before the newest are kept.
    """
    newest, *before = newest_first
    first = newest - timedelta(days=days)
    for later, earlier in pairwise([newest, *before]):
        if later < first:
            break
        if later - earlier > PAUSE:
            first -= later - earlier
    return first
