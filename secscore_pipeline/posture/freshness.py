"""How fresh each feed is: when its last complete sync ended, and from when that is too long ago.

Status, metrics, the heartbeat and the alert `sync_overdue` all use this module, so that they agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb

from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.config.registry import SECSCORE_EVENT_TYPES
from secscore_pipeline.config.schedules import longest_gap
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.retention import SKEW
from secscore_pipeline.warehouse.statements import execute

LATE_AFTER = timedelta(hours=2)
"""How long after the next run of a schedule a feed without a complete sync counts as overdue."""


@dataclass(frozen=True)
class FeedFreshness:
    """When a feed was read last.

    Attributes:
        feed: its name.
        last_sync_at: when the newest of its fetches ended, however it ended, UTC; None where it was never read.
        last_complete_at: when its last complete sync ended, UTC; None where there was none. A sync is complete when
            each subscription in scope was read (its outcome is complete, no_score or unsupported), for each event type
            that the feed is configured to read; of several batches, when that holds for all of them together.
        last_complete_sync_id: that sync's id.
    """

    feed: str
    last_sync_at: datetime | None = None
    last_complete_at: datetime | None = None
    last_complete_sync_id: str | None = None

    def age(self, now: datetime) -> timedelta | None:
        """Return the time since the last complete sync, never negative; None where there was none, or not before now.

        Args:
            now: UTC.
        """
        if self.last_complete_at is None or self.is_from_the_future(now):
            return None
        return max(now - self.last_complete_at, timedelta())

    def is_from_the_future(self, now: datetime) -> bool:
        """Return whether the last complete sync ended after now, so that nobody knows how old it is."""
        return self.last_complete_at is not None and self.last_complete_at > now + SKEW

    def problem(self, max_age: timedelta, now: datetime) -> str | None:
        """Return a sentence that says why the feed is not fresh; None where it is.

        Args:
            max_age: how old its last complete sync may be.
            now: UTC.
        """
        if self.last_sync_at is None:
            return f"The feed {self.feed} was never read."
        if self.last_complete_at is None:
            return f"The feed {self.feed} was never read completely."
        age = self.age(now)
        if age is None:
            return (
                f"The last complete sync of the feed {self.feed} is dated {self.last_complete_at:%Y-%m-%d %H:%M} UTC, "
                "which is yet to come: the clock was wrong then, or is now."
            )
        if age > max_age:
            return f"The last complete sync of the feed {self.feed} was {describe_age(age)} ago."
        return None


def read_freshness(connection: duckdb.DuckDBPyConnection, feeds: Sequence[Feed]) -> list[FeedFreshness]:
    """Return how fresh each configured feed is, in their order.

    Args:
        connection: open for reading.
        feeds: those that are configured.
    """
    read = [(feed.name, event_type) for feed in feeds for event_type in SECSCORE_EVENT_TYPES.read(feed.settings)]
    configured = {"feeds": [name for name, _ in read], "event_types": [event_type for _, event_type in read]}
    found = execute(connection, load_sql("posture/list_last_syncs"), configured).fetchall()
    known = {row[0]: FeedFreshness(*row) for row in found}
    return [known.get(feed.name, FeedFreshness(feed.name)) for feed in feeds]


def get_overdue_age(feed: Feed) -> timedelta:
    """Return from which age of its last complete sync a feed is overdue by its schedule: 26 h where it runs daily.

    Raises:
        SettingsError: its schedule or time zone cannot be read.
    """
    return longest_gap(feed) + LATE_AFTER


def describe_age(age: timedelta) -> str:
    """Return an age in words: minutes, hours or days."""
    if age.days > 1:
        return f"{age.days} days"
    minutes = int(age.total_seconds() // 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"
