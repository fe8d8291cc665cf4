"""How things stand at a glance: what each feed read last, the scores, and what wants attention."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import duckdb

from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.posture.freshness import FeedFreshness, get_overdue_age, read_freshness
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.retention import SKEW
from secscore_pipeline.warehouse.statements import select_rows


class Status(NamedTuple):
    """How things stand.

    Attributes:
        feeds: a row for each feed that was ever read (see status.sql).
        scores: a row for each tenant with a score (see status_scores.sql).
        attention: a sentence for each thing that somebody should check.
        freshness: when each configured feed was read last.
        overdue: the sentences of `attention` that say that a feed has had no complete sync for too long.
        as_of: when it was read, UTC.
        open_findings: a row for each tenant whose assessments are read (see count_open_findings.sql).
    """

    feeds: list[dict[str, Any]]
    scores: list[dict[str, Any]]
    attention: list[str]
    freshness: list[FeedFreshness]
    overdue: list[str]
    as_of: datetime
    open_findings: list[dict[str, Any]]

    @property
    def record(self) -> dict[str, Any]:
        """The same as an object for JSON; its keys stay."""
        return {**self._asdict(), "freshness": [self._freshness_record(feed) for feed in self.freshness]}

    def _freshness_record(self, feed: FeedFreshness) -> dict[str, Any]:
        age = feed.age(self.as_of)
        return {**asdict(feed), "age_seconds": None if age is None else int(age.total_seconds())}


def read_status(
    connection: duckdb.DuckDBPyConnection,
    feeds: Sequence[Feed],
    now: datetime,
    max_age: timedelta | None = None,
    alert_problems: Sequence[str] = (),
) -> Status:
    """Say how things stand in a database.

    Args:
        connection: open for reading.
        feeds: those that are configured.
        now: UTC.
        max_age: how old the last complete sync of each feed may be; None: as its schedule says.
        alert_problems: what is wrong with alerts, a sentence each.

    Raises:
        SettingsError: the schedule of a feed cannot be read.
    """
    read = select_rows(connection, load_sql("posture/list_feeds"), {"latest": now + SKEW})
    scores = select_rows(connection, load_sql("posture/list_tenant_scores"), {})
    freshness = read_freshness(connection, feeds)
    found = (fresh.problem(max_age or get_overdue_age(feed), now) for feed, fresh in zip(feeds, freshness, strict=True))
    overdue = [problem for problem in found if problem]
    in_future = {fresh.feed for fresh in freshness if fresh.is_from_the_future(now)}
    future = [
        f"A fetch of the feed {row['feed']} is dated {row['future_at']:%Y-%m-%d %H:%M} UTC, which is yet to come: the "
        "clock was wrong then, or is now."
        for row in read
        if row["future_at"] and row["feed"] not in in_future
    ]
    not_read = [
        f"{row['not_read']} of {row['subscriptions']} subscriptions of the feed {row['feed']} could not be read: "
        "from posture.read_results where result = 'not_read'"
        for row in read
        if row["not_read"]
    ]
    attention = [*overdue, *future, *not_read, *alert_problems]
    open_findings = select_rows(connection, load_sql("posture/count_open_findings"))
    return Status(read, scores, attention, freshness, overdue, now, open_findings)
