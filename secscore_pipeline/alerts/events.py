"""What happened that somebody should know of, read from the published database."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import duckdb

from secscore_pipeline.alerts.alert import Alert
from secscore_pipeline.azure.errors import Outcome
from secscore_pipeline.errors import resolution_of
from secscore_pipeline.ingest.scope import Reason
from secscore_pipeline.posture.freshness import FeedFreshness, describe_age
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.text import printable
from secscore_pipeline.warehouse.statements import select_rows

Row = dict[str, Any]

NAMED = 10
"""How many things an alert names; of more it says how many there are."""

REPEATED_AFTER = (timedelta(days=30), timedelta(days=7), timedelta(0))
"""After how much more time an overdue sync is reported again, the longest first."""


def find_alerts(connection: duckdb.DuckDBPyConnection, since: datetime, threshold: float) -> list[Alert]:
    """Return what happened after an instant: an alert for each kind and run, the oldest run first.

    Args:
        connection: open for reading.
        since: UTC; what was observed until then is known.
        threshold: from how many percentage points a drop of a score is reported.
    """
    parameters = {"since": since, "threshold": threshold}
    return [
        *_group_alerts(
            "score_dropped", select_rows(connection, load_sql("alerts/list_score_drops"), parameters), _describe_drop
        ),
        *_group_alerts(
            "control_failed",
            select_rows(connection, load_sql("alerts/list_failed_controls"), parameters),
            _describe_failed_control,
        ),
        *_group_alerts(
            "coverage_lost",
            select_rows(connection, load_sql("alerts/list_lost_coverage"), parameters),
            _describe_lost_coverage,
        ),
        *_group_alerts(
            "scope_left",
            select_rows(connection, load_sql("alerts/list_left_subscriptions"), parameters),
            _describe_departure,
        ),
    ]


_TITLES = {
    "score_dropped": ("{n} secure {thing} dropped", "score"),
    "control_failed": ("{n} {thing} turned from Pass to Fail", "control"),
    "coverage_lost": ("{n} {thing} can no longer be read", "subscription"),
    "scope_left": ("{n} {thing} left the scope", "subscription"),
}
_ADVICE = {
    "score_dropped": "posture.changes has what moved each score; begin with the resources that broke.",
    "control_failed": "Fix the unhealthy resources, or exempt them in Defender for Cloud with a reason.",
    "coverage_lost": "Do what the message says; `secscore test-connection` tries it. Missed days stay missing.",
    "scope_left": "Nothing, where that was meant: its history stays. Else see its role assignment, its state and the "
    "settings of the scope; it is read again once it is listed and not excluded.",
}


def _group_alerts(kind: str, rows: list[Row], say: Callable[[Row], str]) -> Iterator[Alert]:
    by_run: dict[str, list[Row]] = {}
    for row in rows:
        by_run.setdefault(row["run_id"], []).append(row)
    for run_id, found in by_run.items():
        title, thing = _TITLES[kind]
        lines = [say(row) for row in found[:NAMED]]
        if len(found) > NAMED:
            lines.append(f"and {len(found) - NAMED} more")
        said = title.format(n=len(found), thing=thing if len(found) == 1 else f"{thing}s")
        yield Alert(f"{kind}/{run_id}", kind, said, tuple(lines), _ADVICE[kind], run_id)


def _describe_departure(row: Row) -> str:
    return f"{printable(row['subscription'])} ({Reason(row['reason']).words})"


def _describe_drop(row: Row) -> str:
    points = 100 * (row["percentage"] - row["percentage_before"])
    return (
        f"{printable(row['subscription'])}: {100 * row['percentage_before']:.2f} % to {100 * row['percentage']:.2f} % "
        f"({points:+.2f} percentage points)"
    )


def _describe_failed_control(row: Row) -> str:
    lost = "" if row["points_lost"] is None else f", {row['points_lost']:.2f} points"
    return f"{printable(row['control'])} in {printable(row['subscription'])}: {row['unhealthy']} unhealthy{lost}"


def _describe_lost_coverage(row: Row) -> str:
    why = Outcome(row["outcome"]).words
    return f"{printable(row['subscription'])} ({why}): {printable(resolution_of(row['error'] or ''))}"


def check_credential(feed: str, ends: datetime, now: datetime) -> Alert | None:
    """Return the alert that a feed's credential nears its end: 30, 14, 7 days and a day before; None before that."""
    left = (ends - now).days
    passed = [days for days in (1, 7, 14, 30) if left < days]
    if not passed:
        return None
    when = f"ended on {ends:%Y-%m-%d}" if ends <= now else f"ends on {ends:%Y-%m-%d}, in {left} days"
    return Alert(
        f"credential_ends/{feed}/{ends:%Y-%m-%d}/{passed[0]}",
        "credential_ends",
        f"The credential of the feed {feed} {when}",
        (),
        "Make a new one in Entra ID, App registrations, Certificates & secrets, and change AZURE_CLIENT_SECRET and "
        "SECSCORE_SECRET_EXPIRES; without it nothing is read, and missed days stay missing.",
    )


def check_last_sync(feed: FeedFreshness, max_age: timedelta, begun: datetime, now: datetime) -> Alert | None:
    """Return the alert that a feed has had no complete sync for too long; None where it had one, or may have one yet.

    Args:
        feed: when it was read last.
        max_age: how old its last complete sync may be.
        begun: when alerts were first switched on, UTC: a feed that was never read is overdue from then on.
        now: UTC.
    """
    problem = feed.problem(max_age, now)
    since = feed.last_complete_at or begun
    overdue_for = timedelta(0) if feed.is_from_the_future(now) else now - since - max_age
    step = next((step for step in REPEATED_AFTER if overdue_for >= step), None)
    if problem is None or step is None:
        return None
    newest = "It was never read"
    if feed.last_sync_at:
        newest = f"Its newest sync ended at {feed.last_sync_at:%Y-%m-%d %H:%M} UTC"
    last = "never" if feed.last_complete_at is None else f"{since:%Y-%m-%dT%H:%M:%SZ}"
    return Alert(
        f"sync_overdue/{feed.feed}/{last}/{step.days}",
        "sync_overdue",
        problem.removesuffix("."),
        (f"{newest}; its schedule asks for a complete one every {describe_age(max_age)} at least.",),
        "`secscore status` shows what could not be read, and `secscore test-connection` why; see that the schedule is "
        "on and that runs end. Missed days stay missing.",
    )
