"""Delivers each alert once over each channel, in a bounded time, however often it is called."""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from secscore_pipeline.alerts.alert import Alert
from secscore_pipeline.alerts.channels import Channel, ChannelError
from secscore_pipeline.alerts.journal import LONGEST_PAUSE, SHOWN_FOR, Journal, Pending
from secscore_pipeline.clock import Clock

ALL_SECONDS = 45.0
"""How long all deliveries of one call take at most: Dagster ends a tick of a sensor after 60 s."""

DELIVERY_SECONDS = 15.0
"""How long one delivery takes at most, with all its tries."""

SHORTEST_SECONDS = 5.0
"""With less time left than this no delivery begins: it follows at the next call."""

REFUSED_FOR = timedelta(days=1)
"""For how long an alert is sent again that a channel refuses."""

UNREACHABLE_FOR = timedelta(days=7)
"""For how long an alert is sent again whose channel cannot be reached."""

FEWEST_ATTEMPTS = 3
"""How often an alert is sent at least before it is set aside: somebody may deliver once a week."""


class Delivery(NamedTuple):
    """The result of delivering alerts.

    Attributes:
        sent: how many messages were delivered.
        failed: why a channel did not take one, by its name.
        set_aside: a sentence for each message that will not be sent again.
    """

    sent: int
    failed: dict[str, str]
    set_aside: tuple[str, ...] = ()


def deliver_alerts(
    alerts: Iterable[Alert],
    channels: Sequence[Channel],
    journal: Journal,
    base_url: str,
    clock: Clock,
    seen_until: datetime | None = None,
    findings: Iterable[str] | None = None,
) -> Delivery:
    """Deliver over each channel what it has not taken yet: these alerts, and those that still wait.

    A message that is refused holds up no other one. A channel that cannot be reached is left until the next call, and
    none makes another one wait longer than its share of ALL_SECONDS.

    Args:
        alerts: what is new, in order.
        channels: where to.
        journal: what was delivered before, and what waits.
        base_url: of Dagster's UI, for the links.
        clock: returns the present time.
        seen_until: up to when everything that happened is among the alerts, UTC.
        findings: the keys of all findings that are overdue; None: not looked for.
    """
    journal.acknowledge(clock(), older_than=SHOWN_FOR)
    journal.queue(alerts, [channel.name for channel in channels], clock(), seen_until, findings)
    sent, failed, set_aside = 0, dict[str, str](), list[str]()
    began = time.monotonic()
    for number, channel in enumerate(channels, 1):
        ends_at = began + ALL_SECONDS * number / len(channels)
        for pending in journal.due(channel.name, clock()):
            seconds = min(DELIVERY_SECONDS, ends_at - time.monotonic())
            if seconds < SHORTEST_SECONDS:
                break
            if not journal.claim(pending.alert.key, channel.name, clock(), seconds):
                continue
            try:
                channel.send(pending.alert, _url(base_url, pending.alert), seconds)
            except ChannelError as error:
                failed[channel.name] = str(error)
                if _note_failure(journal, channel, pending, error, clock()):
                    set_aside.append(f"{channel.name} did not take “{pending.alert.title}”: {error}")
                if not error.is_refusal:
                    break
            else:
                journal.note_delivery(pending.alert.key, channel.name, clock())
                sent += 1
    return Delivery(sent, failed, tuple(set_aside))


def send_once(alert: Alert, channels: Sequence[Channel], base_url: str) -> Delivery:
    """Send an alert over each channel, whether it was sent before or not, and note nothing.

    Args:
        alert: what to send.
        channels: where to.
        base_url: of Dagster's UI, for the link.
    """
    failed: dict[str, str] = {}
    for channel in channels:
        try:
            channel.send(alert, _url(base_url, alert), DELIVERY_SECONDS)
        except ChannelError as error:
            failed[channel.name] = str(error)
    return Delivery(len(channels) - len(failed), failed)


def _note_failure(journal: Journal, channel: Channel, pending: Pending, error: ChannelError, now: datetime) -> bool:
    """Note a delivery that failed; return whether the alert was set aside, since it was sent for long enough."""
    key, attempts = pending.alert.key, pending.attempts + 1
    pause = timedelta(minutes=2**attempts - 2) if attempts < 6 else LONGEST_PAUSE
    retry_after = timedelta(seconds=min(error.retry_after, LONGEST_PAUSE.total_seconds()))
    journal.note_failure(key, channel.name, str(error), now + min(max(pause, retry_after), LONGEST_PAUSE))
    patience = REFUSED_FOR if error.is_refusal else UNREACHABLE_FOR
    is_given_up = attempts >= FEWEST_ATTEMPTS and now - pending.queued_at >= patience
    if is_given_up:
        journal.set_aside(key, channel.name, now)
    return is_given_up


def _url(base_url: str, alert: Alert) -> str:
    return f"{base_url.rstrip('/')}/{f'runs/{alert.run_id}' if alert.run_id else 'assets'}"
