"""Settings that are read together, as one typed value; a single one is read by its entry in `registry`."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from secscore_pipeline.config import registry
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.setting import Setting, collect_problems


@dataclass(frozen=True)
class AlertSettings:
    """Which channels alerts go to, and from when; no secret shows in its `repr`.

    Attributes:
        slack_token: a secret; empty: not to Slack.
        slack_channel: where in Slack; slack_url: where its API is.
        teams: a URL, which is a secret; empty: not to Teams.
        webhook: a URL, which is a secret; empty: no such receiver. webhook_secret: signs what is sent there.
        score_drop: percentage points.
        new_findings: from how many new findings of a run; None: never.
        overdue_days: from which age of a finding; None: never.
    """

    slack_token: str = field(repr=False)
    slack_channel: str
    slack_url: str
    teams: str = field(repr=False)
    webhook: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    score_drop: float
    new_findings: int | None
    overdue_days: int | None


@dataclass(frozen=True)
class SignalSettings:
    """Where others see that syncs go on.

    Attributes:
        heartbeat_url: what is called after each complete sync, a secret; empty: nothing.
        metrics_file: where metrics are written; None: nowhere.
    """

    heartbeat_url: str = field(repr=False)
    metrics_file: Path | None


def read_alert_settings() -> AlertSettings:
    """Return the settings of alerts, checked.

    Raises:
        SettingsError: names each that is malformed; no address is repeated, since it is a secret.
    """
    _check(setting for setting in registry.SETTINGS if setting.name.startswith("SECSCORE_ALERT_"))
    return AlertSettings(
        slack_token=registry.SECSCORE_ALERT_SLACK_TOKEN.read(),
        slack_channel=registry.SECSCORE_ALERT_SLACK_CHANNEL.read(),
        slack_url=registry.SECSCORE_ALERT_SLACK_URL.read(),
        teams=registry.SECSCORE_ALERT_TEAMS.read(),
        webhook=registry.SECSCORE_ALERT_WEBHOOK.read(),
        webhook_secret=registry.SECSCORE_ALERT_WEBHOOK_SECRET.read(),
        score_drop=registry.SECSCORE_ALERT_SCORE_DROP.read(),
        new_findings=registry.SECSCORE_ALERT_NEW_FINDINGS.read(),
        overdue_days=registry.SECSCORE_ALERT_OVERDUE_DAYS.read(),
    )


def read_signal_settings() -> SignalSettings:
    """Return the settings of the heartbeat and the metrics, checked.

    Raises:
        SettingsError: names each that is malformed; the heartbeat's URL is not repeated, since it is a secret.
    """
    _check((registry.SECSCORE_HEARTBEAT_URL, registry.SECSCORE_METRICS_FILE))
    return SignalSettings(registry.SECSCORE_HEARTBEAT_URL.read(), registry.SECSCORE_METRICS_FILE.read())


def read_export_layout() -> tuple[str, str]:
    """Return what the layout of Amazon Security Lake has in its paths: the custom source's name and the region.

    Raises:
        SettingsError: one of them could not be part of a path.
    """
    _check((registry.SECSCORE_EXPORT_SOURCE, registry.SECSCORE_EXPORT_REGION))
    return registry.SECSCORE_EXPORT_SOURCE.read(), registry.SECSCORE_EXPORT_REGION.read()


def _check(settings: Iterable[Setting[Any]]) -> None:
    """Raise one error for all that is malformed in some settings."""
    if problems := collect_problems(*(partial(setting.read, None) for setting in settings)):
        raise SettingsError(problems)
