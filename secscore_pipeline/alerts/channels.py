"""The channels over which people are told: Slack, Teams, and any webhook."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import requests
from dagster_msteams import MSTeamsResource
from dagster_msteams.adaptive_card import AdaptiveCard
from dagster_slack import SlackResource
from requests.adapters import HTTPAdapter
from slack_sdk.errors import SlackApiError
from urllib3.util import Retry

from secscore_pipeline.alerts.events import Alert
from secscore_pipeline.shown import quoted

PATIENCE = 15.0
"""Seconds to wait for a channel's answer."""

_RETRIES = Retry(
    total=3, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=None, redirect=0,
    respect_retry_after_header=True, raise_on_status=False,
)  # fmt: skip


class ChannelError(Exception):
    """A channel did not take an alert; the message says why, without the channel's address, which is a secret."""


class Channel(Protocol):
    """Somewhere to tell an alert."""

    @property
    def name(self) -> str:
        """What the channel is called."""

    def send(self, alert: Alert, url: str) -> None:
        """Tell an alert, with a link.

        Raises:
            ChannelError: it was not taken.
        """


@dataclass(frozen=True)
class Slack:
    """A channel of Slack, by a bot's token (chat:write); `url` is where its API is, as GovSlack has its own."""

    token: str = field(repr=False)
    channel: str
    url: str

    @property
    def name(self) -> str:
        """What the channel is called."""
        return "slack"

    def send(self, alert: Alert, url: str) -> None:
        """Tell an alert as a message, in which nothing but the link is markup."""
        client = SlackResource(token=self.token).get_client()
        client.base_url, client.timeout = self.url, int(PATIENCE)
        text = "\n".join(
            [f"*{_slack(alert.title)}*", *(f"• {_slack(line)}" for line in alert.lines), _slack(alert.advice)]
        )
        try:
            client.chat_postMessage(
                channel=self.channel, text=f"{text}\n<{url}|Open it in Dagster>", unfurl_links=False, mrkdwn=True
            )
        except SlackApiError as error:
            raise ChannelError(f"Slack refused it ({quoted(str(error.response.get('error')), self.token)}).") from None
        except OSError as error:
            raise ChannelError(f"Slack cannot be reached ({type(error).__name__}).") from None


@dataclass(frozen=True)
class Teams:
    """A channel of Teams, by the address of its workflow or incoming webhook."""

    address: str = field(repr=False)

    @property
    def name(self) -> str:
        """What the channel is called."""
        return "teams"

    def send(self, alert: Alert, url: str) -> None:
        """Tell an alert as an adaptive card."""
        card = AdaptiveCard()
        card.add_attachment(f"**{_markdown(alert.title)}**")
        for line in (*alert.lines, alert.advice):
            card.add_attachment(_markdown(line))
        card.add_attachment(f"[Open it in Dagster]({url})")
        try:
            MSTeamsResource(hook_url=self.address, timeout=PATIENCE).get_client().post_message(card.payload)
        except requests.ConnectionError as error:
            raise ChannelError(f"Teams cannot be reached ({type(error).__name__}).") from None
        except requests.RequestException as error:
            raise ChannelError(f"Teams refused it ({quoted(str(error), self.address, length=100)}).") from None


@dataclass(frozen=True)
class Webhook:
    """Any receiver of JSON over HTTP; with a secret each body is signed (HMAC-SHA256, X-Secscore-Signature)."""

    address: str = field(repr=False)
    secret: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """What the channel is called."""
        return "webhook"

    def send(self, alert: Alert, url: str) -> None:
        """Tell an alert as JSON; its key is the Idempotency-Key."""
        body = json.dumps({**alert._asdict(), "url": url}, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": alert.key}
        if self.secret:
            headers["X-Secscore-Signature"] = (
                f"sha256={hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()}"
            )
        try:
            with requests.Session() as session:
                session.mount("https://", HTTPAdapter(max_retries=_RETRIES))
                session.mount("http://", HTTPAdapter(max_retries=_RETRIES))
                answer = session.post(self.address, data=body, headers=headers, timeout=PATIENCE, allow_redirects=False)
        except requests.RequestException as error:
            raise ChannelError(f"The webhook cannot be reached ({type(error).__name__}).") from None
        if not answer.ok or answer.is_redirect:
            raise ChannelError(f"The webhook answered {answer.status_code}.")


def configured(settings: Mapping[str, str]) -> list[Channel]:
    """Return the channels that are set; the settings are checked before (see `settings.alert_settings`)."""
    channels: list[Channel] = []
    if settings["SECSCORE_ALERT_SLACK_TOKEN"]:
        names = ("SECSCORE_ALERT_SLACK_TOKEN", "SECSCORE_ALERT_SLACK_CHANNEL", "SECSCORE_ALERT_SLACK_URL")
        token, channel, url = (settings[name] for name in names)
        channels.append(Slack(token, channel, url if url.endswith("/") else f"{url}/"))
    if settings["SECSCORE_ALERT_TEAMS"]:
        channels.append(Teams(settings["SECSCORE_ALERT_TEAMS"]))
    if settings["SECSCORE_ALERT_WEBHOOK"]:
        channels.append(Webhook(settings["SECSCORE_ALERT_WEBHOOK"], settings["SECSCORE_ALERT_WEBHOOK_SECRET"]))
    return channels


def _slack(text: str) -> str:
    """Return a text without anything that Slack would obey."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([*_~`@])", "\u200b\\1", text)


def _markdown(text: str) -> Any:
    """Return a text without anything that an adaptive card would obey."""
    return re.sub(r"([\\`*_\[\]()#<>~|!-])", r"\\\1", text)
