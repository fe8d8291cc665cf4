"""Finds new alerts and delivers them over the channels that are set; sensors and the command line call this."""

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from secscore_pipeline.alerts.alert import Alert
from secscore_pipeline.alerts.briefing import write_briefing
from secscore_pipeline.alerts.events import check_credential, check_last_sync, find_alerts
from secscore_pipeline.alerts.findings import (
    find_new_findings,
    group_overdue_findings,
    list_overdue_findings,
)
from secscore_pipeline.alerts.journal import Journal, journal_path, open_journal
from secscore_pipeline.azure.errors import AzureError
from secscore_pipeline.clock import Clock, utc_now
from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.registry import SECSCORE_BRIEFING, SECSCORE_DAGSTER_URL, SECSCORE_TIMEZONE
from secscore_pipeline.config.schedules import last_due
from secscore_pipeline.config.settings import AlertSettings, read_alert_settings
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline.posture.freshness import FeedFreshness, get_overdue_age, read_freshness
from secscore_pipeline.warehouse.errors import WarehouseError
from secscore_pipeline.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from secscore_pipeline.alerts.channels import Channel
    from secscore_pipeline.alerts.delivery import Delivery

LATE = timedelta(days=1)
"""How long after it was observed a thing may come to a lake, where several runs read side by side."""


def send_new_alerts(feeds: Sequence[Feed], clock: Clock = utc_now) -> "Delivery":
    """Deliver to every channel that is set the alerts since alerts were first switched on, and those that still wait.

    Raises:
        SettingsError, WarehouseError, JournalError: each says what is wrong and what to do.
    """
    from secscore_pipeline.alerts.delivery import deliver_alerts

    settings = read_alert_settings()
    warehouse = Warehouse.from_environment()
    over = channels()
    with open_journal(warehouse.published_path, clock()) as journal:
        found = _find_new_alerts(feeds, warehouse, journal, settings, clock)
        return deliver_alerts(
            found.alerts, over, journal, SECSCORE_DAGSTER_URL.read(), clock, found.seen_until, found.overdue_findings
        )


def send_alert(alert: Alert, clock: Clock = utc_now) -> "Delivery":
    """Deliver one alert to every channel that is set, and those that still wait. What a channel refuses waits for it.

    Raises:
        SettingsError, JournalError: each says what is wrong and what to do.
    """
    from secscore_pipeline.alerts.delivery import deliver_alerts

    with open_journal(Warehouse.from_environment().published_path, clock()) as journal:
        return deliver_alerts([alert], channels(), journal, SECSCORE_DAGSTER_URL.read(), clock)


def send_test(clock: Clock = utc_now) -> "Delivery":
    """Send a test message over every channel that is set, once: where it does not arrive, it does not wait.

    Raises:
        SettingsError, JournalError: each says what is wrong and what to do.
    """
    from secscore_pipeline.alerts.delivery import send_once

    database = Warehouse.from_environment().published_path
    with open_journal(database, clock()) if journal_path(database).exists() else nullcontext():
        return send_once(make_test_alert(clock()), channels(), SECSCORE_DAGSTER_URL.read())


def acknowledge_alerts(clock: Clock = utc_now) -> int:
    """Show alerts that were set aside no more, and return how many there were.

    Raises:
        SettingsError, JournalError: each says what is wrong and what to do.
    """
    database = Warehouse.from_environment().published_path
    if not journal_path(database).exists():
        return 0  # nothing was ever to be delivered
    with open_journal(database, clock()) as journal:
        return journal.acknowledge(clock())


def channels() -> "list[Channel]":
    """Return the channels that are set."""
    from secscore_pipeline.alerts.channels import make_channels  # a run without alerts need not load their libraries

    return make_channels(read_alert_settings())


def make_test_alert(now: datetime) -> Alert:
    """Return an alert that says that alerts arrive."""
    return Alert(
        f"test/{now.isoformat()}", "test", "A test: alerts of secscore_pipeline arrive here", (), "Nothing to do."
    )


class _NewAlerts(NamedTuple):
    """What is to be sent.

    Attributes:
        alerts: in order.
        seen_until: up to when everything that happened is among them, UTC; None where there is no database.
        overdue_findings: the keys of all findings that are overdue; None where they were not looked for.
    """

    alerts: list[Alert]
    seen_until: datetime | None = None
    overdue_findings: list[str] | None = None


def _find_new_alerts(
    feeds: Sequence[Feed], warehouse: Warehouse, journal: Journal, settings: AlertSettings, clock: Clock
) -> _NewAlerts:
    now = clock()
    ending = [(feed.name, ends) for feed in feeds if (ends := _get_credential_end(feed))]
    alerts = [alert for name, ends in ending if (alert := check_credential(name, ends, now))]
    try:
        with warehouse.get_published() as connection:
            alerts += find_alerts(connection, journal.settled_until, settings.score_drop)
            if settings.new_findings:
                alerts += find_new_findings(connection, journal.settled_until, settings.new_findings)
            alerts += _find_overdue(feeds, read_freshness(connection, feeds), journal.begun, now)
            due = _get_briefing_time(now)
            if due and due >= journal.begun and (alert := write_briefing(connection, due)):
                alerts.append(alert)
            row = connection.execute("select max(observed_at) from raw.fetches").fetchone()
            newest: datetime | None = row[0] if row else None
            overdue = None
            if settings.overdue_days and newest and newest > journal.settled_until:  # else nothing was read since
                overdue = list_overdue_findings(connection, settings.overdue_days)
                unreported = journal.find_unreported(finding["key"] for finding in overdue)
                found = [finding for finding in overdue if finding["key"] in unreported]
                if alert := group_overdue_findings(found, settings.overdue_days):
                    alerts.append(alert)
    except WarehouseError as error:
        if error.failure != "database-absent":  # before the first run there is nothing to alert of
            raise
        unread = [FeedFreshness(feed.name) for feed in feeds]
        return _NewAlerts([*alerts, *_find_overdue(feeds, unread, journal.begun, now)])
    # Not the time of a fetch that a wrong clock dates in the future: until then nothing would be delivered.
    seen = min(newest, now) if newest else None
    keys = None if overdue is None else [finding["key"] for finding in overdue]
    return _NewAlerts(alerts, seen - LATE if seen and warehouse.lake else seen, keys)


def _find_overdue(
    feeds: Sequence[Feed], freshness: Sequence[FeedFreshness], begun: datetime, now: datetime
) -> list[Alert]:
    """Return the alerts of feeds that have had no complete sync for longer than their schedules say."""
    found = (
        check_last_sync(fresh, get_overdue_age(feed), begun, now) for feed, fresh in zip(feeds, freshness, strict=True)
    )
    return [alert for alert in found if alert]


def _get_credential_end(feed: Feed) -> datetime | None:
    """Return when a feed's credential ends; None where that is not known."""
    try:
        connection: AzureConnection = AzureConnection.of(feed)
        return connection.settings().credential.expires_at
    except (SettingsError, AzureError):  # the feed's own run says so
        return None


def _get_briefing_time(now: datetime) -> datetime | None:
    """Return when the newest briefing was due; None where there is none."""
    cron, zone = SECSCORE_BRIEFING.read(), SECSCORE_TIMEZONE.read()
    return last_due(Feed(schedule=cron, time_zone=zone), now) if cron else None
