"""How things stand at a glance: what each feed read last, the scores, and what wants attention."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import duckdb

from secscore_pipeline.feeds import Feed
from secscore_pipeline.warehouse import sql
from secscore_pipeline.warehouse.connection import execute
from secscore_pipeline.warehouse.retention import SKEW

STALE = timedelta(hours=26)
"""From which age a feed's newest look is old, for one that is read every day."""


class Standing(NamedTuple):
    """How things stand.

    Attributes:
        feeds: a row for each feed that was ever read (see status.sql).
        scores: a row for each tenant with a score (see status_scores.sql).
        attention: a sentence for each thing that somebody should look at.
    """

    feeds: list[dict[str, Any]]
    scores: list[dict[str, Any]]
    attention: list[str]


def standing(connection: duckdb.DuckDBPyConnection, feeds: Sequence[Feed], now: datetime) -> Standing:
    """Say how things stand in a database.

    Args:
        connection: open for reading.
        feeds: those that are configured.
        now: UTC.
    """
    read, scores = (_rows(connection, name, now + SKEW) for name in ("status", "status_scores"))
    attention = [
        f"The feed {row['feed']} was read {_ago(now - row['read_at'])} ago."
        for row in read
        if row["read_at"] and now - row["read_at"] > STALE
    ]
    attention += [
        f"A fetch of the feed {row['feed']} is dated {row['future_at']:%Y-%m-%d %H:%M} UTC, which is yet to come: the "
        "clock was wrong then, or is now."
        for row in read
        if row["future_at"]
    ]
    attention += [
        f"{row['not_read']} of {row['subscriptions']} subscriptions of the feed {row['feed']} could not be read: "
        "from posture.coverage where last_failure is not null"
        for row in read
        if row["not_read"]
    ]
    known = {row["feed"] for row in read}
    attention += [f"The feed {feed.name} was never read." for feed in feeds if feed.name not in known]
    return Standing(read, scores, attention)


def _ago(age: timedelta) -> str:
    return f"{age.days} days" if age.days > 1 else f"{age.total_seconds() / 3600:.0f} hours"


def _rows(connection: duckdb.DuckDBPyConnection, name: str, latest: datetime) -> list[dict[str, Any]]:
    cursor = execute(connection, sql(name), {"latest": latest})
    columns = [column[0] for column in cursor.description or []]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
