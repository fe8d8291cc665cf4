"""Metrics for Prometheus: a text file in the folder of node-exporter's textfile collector, replaced as a whole.

Source: Prometheus' text-based exposition format, version 0.0.4.
"""

import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from secscore_pipeline.alerts.journal import JournalError, list_set_aside
from secscore_pipeline.azure.errors import Outcome, ReadResult
from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.config.registry import SECSCORE_EVENT_TYPES
from secscore_pipeline.errors import FailureError
from secscore_pipeline.posture.freshness import FeedFreshness, read_freshness
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.errors import WarehouseError
from secscore_pipeline.warehouse.statements import select_rows
from secscore_pipeline.warehouse.warehouse import Warehouse

MARK = "# Metrics of secscore_pipeline: written anew after each sync."
"""What a metrics file begins with: a file that does not is somebody else's."""

MODE = 0o644
"""The permissions of a metrics file: node-exporter runs as a user of its own."""

_ATTEMPT = "secscore_last_attempt_timestamp_seconds"

_MEANINGS = {
    _ATTEMPT: "When a run tried to read the feed last, however it ended; 0 for never.",
    "secscore_last_complete_sync_timestamp_seconds": (
        "When the last sync ended that read every subscription of the feed, and is published; 0 for never."
    ),
    "secscore_subscriptions": "Subscriptions of the feed's newest sync, by what their fetch ended with.",
    "secscore_failed_fetches": "Fetches of the feed's newest sync that could not be read.",
    "secscore_score_ratio": "Secure score of the tenant, from 0 to 1.",
    "secscore_database_size_bytes": "Size of the published database.",
    "secscore_last_publish_timestamp_seconds": "When the database was published last; not given for a lake.",
    "secscore_alerts_set_aside": "Alerts that a channel did not take, and that are no longer sent.",
}
"""Every metric, and what it says."""


class MetricsError(FailureError):
    """The metrics file cannot be written: the message says why and what to do."""

    def __init__(self, what: str) -> None:
        super().__init__(what, "metrics-unwritable")


class Sample(NamedTuple):
    """One value of a metric.

    Attributes:
        name: of the metric.
        value: in its base unit.
        labels: by their names, any text.
    """

    name: str
    value: float
    labels: Mapping[str, str] = {}

    @property
    def line(self) -> str:
        """Its line in the file."""
        labels = ",".join(f'{name}="{_escape_label(text)}"' for name, text in self.labels.items())
        return f"{self.name}{f'{{{labels}}}' if labels else ''} {self.value!r}"


def write_metrics(path: Path, warehouse: Warehouse, feeds: Sequence[Feed], attempts: Mapping[str, datetime]) -> None:
    """Write what is known to the metrics file, which is replaced as a whole; of a missing database, what that says.

    Args:
        path: the file; a link is followed.
        warehouse: whose published database is read.
        feeds: those that are configured.
        attempts: when runs tried to read feeds just now, by the feeds' names, UTC.

    Raises:
        MetricsError: it cannot be written, or another program's file is in its place.
        WarehouseError: the database is there and cannot be read.
    """
    path = path.resolve()
    before = _read_own_text(path)
    tried = {**_attempts_in(before), **{feed: moment.timestamp() for feed, moment in attempts.items()}}
    _replace(path, render([*_samples(warehouse, feeds, tried), *_alert_samples(warehouse)]))


def render(samples: Iterable[Sample]) -> str:
    """Return the text of a metrics file: each metric with its meaning and its samples."""
    lines = [MARK]
    by_name: dict[str, list[Sample]] = {}
    for sample in samples:
        by_name.setdefault(sample.name, []).append(sample)
    for name, found in by_name.items():
        lines += [f"# HELP {name} {_MEANINGS[name]}", f"# TYPE {name} gauge", *(sample.line for sample in found)]
    return "\n".join(lines) + "\n"


def _samples(warehouse: Warehouse, feeds: Sequence[Feed], attempts: Mapping[str, float]) -> list[Sample]:
    """Return what the published database says."""
    try:
        with warehouse.get_published() as connection:
            freshness = read_freshness(connection, feeds)
            fetches, scores = (
                select_rows(connection, load_sql(name))
                for name in ("alerts/count_fetches", "posture/list_tenant_scores")
            )
        stored = [Sample("secscore_database_size_bytes", warehouse.published_size())]
        if not warehouse.lake:
            published_at = warehouse.published_path.stat().st_mtime
            stored.append(Sample("secscore_last_publish_timestamp_seconds", published_at))
    except WarehouseError as error:
        if error.failure != "database-absent":
            raise
        freshness, fetches, scores, stored = [FeedFreshness(feed.name) for feed in feeds], [], [], []
    counts = {(row["feed"], row["event_type"], row["outcome"]): row["subscriptions"] for row in fetches}
    by_feed = [
        _feed_samples(known, SECSCORE_EVENT_TYPES.read(feed.settings), attempts.get(feed.name, 0), counts)
        for feed, known in zip(feeds, freshness, strict=True)
    ]
    ratios = [
        Sample("secscore_score_ratio", row["percentage"], {"tenant_id": row["tenant_id"]})
        for row in scores
        if row["percentage"] is not None
    ]
    return [*(sample for samples in by_feed for sample in samples), *ratios, *stored]


def _feed_samples(
    feed: FeedFreshness, event_types: Sequence[str], attempted_at: float, counts: Mapping[tuple[str, str, str], int]
) -> list[Sample]:
    """Return what is known of one feed, of the event types that it reads."""
    label = {"feed": feed.feed}
    complete_at = feed.last_complete_at.timestamp() if feed.last_complete_at else 0
    last_at = feed.last_sync_at.timestamp() if feed.last_sync_at else 0
    by_outcome = {
        (event_type, outcome): counts.get((feed.feed, event_type, outcome), 0)
        for event_type in event_types
        for outcome in Outcome
    }
    failed = sum(n for (_, outcome), n in by_outcome.items() if outcome.result is ReadResult.NOT_READ)
    return [
        Sample("secscore_last_complete_sync_timestamp_seconds", complete_at, label),
        Sample(_ATTEMPT, max(attempted_at, last_at), label),
        Sample("secscore_failed_fetches", failed, label),
        *(
            Sample("secscore_subscriptions", count, {**label, "event_type": event_type, "outcome": outcome})
            for (event_type, outcome), count in by_outcome.items()
        ),
    ]


def _alert_samples(warehouse: Warehouse) -> list[Sample]:
    """Return how many alerts each channel has set aside; nothing where the journal cannot be read: status says so."""
    with suppress(JournalError):
        return [
            Sample("secscore_alerts_set_aside", found.alerts, {"channel": found.channel})
            for found in list_set_aside(warehouse.published_path)
        ]
    return []


def _read_own_text(path: Path) -> str:
    """Return what the file holds; nothing where there is none.

    Raises:
        MetricsError: it is not ours.
    """
    if not path.exists():
        return ""
    if not path.is_file():
        raise MetricsError(f"{path} is no file.")
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise MetricsError(f"{path} cannot be read ({error.strerror}).") from None
    if text and not text.startswith(MARK):
        raise MetricsError(f"{path} is no metrics file of this program, and was left as it is.")
    return text


def _attempts_in(text: str) -> dict[str, float]:
    """Return when feeds were tried to be read, by their names, as the file before says: a failed run stores nothing."""
    found = re.findall(rf'^{_ATTEMPT}{{feed="([^"\\]*)"}} (\d{{1,15}}(?:\.\d+)?)$', text, re.MULTILINE)
    return {feed: float(at) for feed, at in found}


def _replace(path: Path, text: str) -> None:
    """Put a text into a file as a whole, readable by everybody."""
    new = None
    try:
        handle, new = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(new).chmod(MODE)
        Path(new).replace(path)
    except OSError as error:
        if new:
            Path(new).unlink(missing_ok=True)
        raise MetricsError(f"{path} cannot be written ({error.strerror}).") from None


def _escape_label(text: str) -> str:
    """Return a text as the value of a label."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
