"""Signals to whoever watches from outside: the heartbeat after each complete sync, and the metrics file after each run.

They are for the day on which nothing runs any more: a process that is gone sends no alert. None of them fails a run.
"""

import logging
from collections.abc import Mapping
from datetime import datetime

import duckdb

from secscore_pipeline.alerts.metrics import MetricsError, write_metrics
from secscore_pipeline.config.feeds import read_feeds
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.settings import SignalSettings, read_signal_settings
from secscore_pipeline.errors import explain
from secscore_pipeline.posture.freshness import read_freshness
from secscore_pipeline.warehouse.errors import WarehouseError
from secscore_pipeline.warehouse.warehouse import Warehouse

HEARTBEAT_SECONDS = 15.0
"""How long the heartbeat takes at most, with all its tries."""

HEARTBEAT_TRIES = 4
"""How often it is sent at most, where its receiver cannot be reached."""


def signal_sync(log: logging.Logger, warehouse: Warehouse, attempts: Mapping[str, datetime], sync_id: str) -> None:
    """Signal a run that has published to whoever watches: the metrics, and the heartbeat where its sync is complete.

    Args:
        log: is warned of what did not arrive.
        warehouse: what was published.
        attempts: when the run tried to read which feed, UTC.
        sync_id: the id of the sync that it read, or completed.
    """
    settings = _read_settings(log)
    if settings is None:
        return
    _write_metrics(log, warehouse, settings, attempts)
    if settings.heartbeat_url:
        for feed in _complete_feeds(log, warehouse, sync_id):
            send_heartbeat(log, settings.heartbeat_url, feed)


def signal_attempts(log: logging.Logger, warehouse: Warehouse, attempts: Mapping[str, datetime]) -> None:
    """Write the metrics of a run: when a feed was tried to be read, and how old what is known is.

    Args:
        log: is warned of what could not be written.
        warehouse: what was published.
        attempts: when the run tried to read which feed, UTC.
    """
    if settings := _read_settings(log):
        _write_metrics(log, warehouse, settings, attempts)


def send_heartbeat(log: logging.Logger, url: str, feed: str) -> None:
    """Call the heartbeat's URL for a feed; where it does not arrive, that is a warning.

    GET, since every such service takes it: healthchecks.io (GET, HEAD, POST), Uptime Kuma, Cronitor, Better Stack.

    Args:
        log: is warned.
        url: a secret; {feed} in it becomes the feed's name.
        feed: whose sync is complete.
    """
    from secscore_pipeline.alerts.channels import ChannelError, exchange  # a run without a heartbeat needs no HTTP

    called = url.replace("{feed}", feed)
    try:
        answer = exchange("The heartbeat's receiver", "GET", called, HEARTBEAT_SECONDS, tries=HEARTBEAT_TRIES)
        problem = "" if 200 <= answer.status_code < 300 else f"The heartbeat's receiver answered {answer.status_code}."
    except ChannelError as error:
        problem = str(error)
    if problem:
        log.warning("%s", explain(problem, "heartbeat-failing"))
    else:
        log.info("heartbeat: sent for the feed %s", feed)


def _read_settings(log: logging.Logger) -> SignalSettings | None:
    """Return the settings; None where they are wrong, which is a warning."""
    try:
        return read_signal_settings()
    except SettingsError as error:
        log.warning("%s", error)
        return None


def _write_metrics(
    log: logging.Logger, warehouse: Warehouse, settings: SignalSettings, attempts: Mapping[str, datetime]
) -> None:
    if settings.metrics_file is None:
        return
    try:
        write_metrics(settings.metrics_file, warehouse, read_feeds(), attempts)
    except (MetricsError, WarehouseError, SettingsError, OSError, duckdb.Error) as error:
        log.warning("%s", error)


def _complete_feeds(log: logging.Logger, warehouse: Warehouse, sync_id: str) -> list[str]:
    """Return the feeds whose last complete sync is this one: none, or one."""
    try:
        with warehouse.get_published() as connection:
            found = read_freshness(connection, read_feeds())
    except (WarehouseError, SettingsError, duckdb.Error) as error:
        log.warning("%s", error)
        return []
    return [feed.feed for feed in found if feed.last_complete_sync_id == sync_id]
