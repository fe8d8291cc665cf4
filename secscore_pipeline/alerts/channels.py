"""The channels that alerts are delivered over: Slack, Teams, and any webhook."""

import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests

from secscore_pipeline.alerts.alert import Alert
from secscore_pipeline.azure.errors import AzureError
from secscore_pipeline.azure.exchange import complete_within
from secscore_pipeline.azure.session import Session, read_retry_after
from secscore_pipeline.config.settings import AlertSettings
from secscore_pipeline.system.redaction import bounded_code, quote_answer, register_secrets

MAX_ANSWER_BYTES = 64 * 1024
"""How much a channel may answer."""

TRIES = 4
"""How often a webhook is called in one delivery, where it says that it may take it later."""

FIRST_PAUSE = 0.5
"""Seconds before the second try of a delivery; each pause is twice as long as the one before."""

_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that say: later, perhaps. Any other one that is no success refuses the message or the sender."""

_SLACK_BUSY = frozenset({"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"})
"""Errors of Slack that say the same. Source: Slack's documentation of chat.postMessage."""


class ChannelError(Exception):
    """A channel did not take an alert; the message says why, without the channel's address, which is a secret.

    Args:
        reason: a sentence.
        is_refusal: whether it answered that it does not take this message; otherwise it could not be reached.
        retry_after: after how many seconds it asks to be sent the message again.
    """

    def __init__(self, reason: str, *, is_refusal: bool = False, retry_after: float = 0) -> None:
        super().__init__(reason)
        self.is_refusal = is_refusal
        self.retry_after = retry_after


class Channel(Protocol):
    """Somewhere to deliver an alert."""

    @property
    def name(self) -> str:
        """What the channel is called."""

    def send(self, alert: Alert, url: str, seconds: float) -> None:
        """Deliver an alert, with a link, in at most so many seconds.

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

    def send(self, alert: Alert, url: str, seconds: float) -> None:
        """Deliver an alert as a message, in which nothing but the link is markup.

        Source: Slack's chat.postMessage, which answers with a JSON object whose `ok` says whether it was taken.
        """
        text = "\n".join(
            [f"*{_slack(alert.title)}*", *(f"• {_slack(line)}" for line in alert.lines), _slack(alert.advice)]
        )
        message = {
            "channel": self.channel,
            "text": f"{text}\n<{url}|Open it in Dagster>",
            "unfurl_links": False,
            "mrkdwn": True,
        }
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json; charset=utf-8"}
        answer = post("Slack", f"{self.url}chat.postMessage", message, headers, seconds)
        said = _json_object(answer)
        if answer.status_code != 200 or said is None:
            raise _not_taken("Slack", answer)
        if said.get("ok") is not True:
            error = bounded_code(said.get("error")) or "no reason given"
            raise ChannelError(f"Slack refused it ({error}).", is_refusal=error not in _SLACK_BUSY)


@dataclass(frozen=True)
class Teams:
    """A channel of Teams, by the address of its workflow or incoming webhook."""

    address: str = field(repr=False)

    @property
    def name(self) -> str:
        """What the channel is called."""
        return "teams"

    def send(self, alert: Alert, url: str, seconds: float) -> None:
        """Deliver an alert as an adaptive card.

        Source: Microsoft's documentation of workflows, which answer 202, and of incoming webhooks, which answer 200
        with the text 1, and 200 with another text where they failed.
        """
        texts = [
            f"**{_markdown(alert.title)}**",
            *map(_markdown, (*alert.lines, alert.advice)),
            f"[Open it in Dagster]({url})",
        ]
        content = {
            "type": "AdaptiveCard",
            "version": "1.5",
            "body": [{"type": "TextBlock", "text": text, "wrap": True} for text in texts],
        }
        kind = "application/vnd.microsoft.card.adaptive"
        card = {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": content}]}
        answer = post("Teams", self.address, card, {"Content-Type": "application/json"}, seconds)
        if answer.status_code != 202 and not (answer.status_code == 200 and answer.text.strip() == "1"):
            raise _not_taken("Teams", answer)


@dataclass(frozen=True)
class Webhook:
    """Any receiver of JSON over HTTP; with a secret each body is signed (HMAC-SHA256, X-Secscore-Signature)."""

    address: str = field(repr=False)
    secret: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """What the channel is called."""
        return "webhook"

    def send(self, alert: Alert, url: str, seconds: float) -> None:
        """Deliver an alert as JSON; its key is the Idempotency-Key, so that it can be sent more than once."""
        body = json.dumps({**alert._asdict(), "url": url}, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": alert.key}
        if self.secret:
            headers["X-Secscore-Signature"] = (
                f"sha256={hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()}"
            )
        answer = post("The webhook", self.address, body, headers, seconds, tries=TRIES)
        if not 200 <= answer.status_code < 300:
            raise _not_taken("The webhook", answer)


def post(
    who: str, url: str, message: Mapping[str, Any] | bytes, headers: Mapping[str, str], seconds: float, tries: int = 1
) -> requests.Response:
    """Send a message and return the answer, whatever it says; no redirect is followed.

    Args:
        who: what the receiver is called, at the beginning of a sentence.
        url: where to; a secret.
        message: an object to send as JSON, or a body.
        headers: of the request.
        seconds: how long it takes at most, with all tries and the pauses between them.
        tries: how often it is sent at most, where the receiver cannot be reached or asks for patience.

    Raises:
        ChannelError: there was no answer in that time.
    """
    body = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
    return exchange(who, "POST", url, seconds, tries=tries, data=body, headers=headers)


def exchange(who: str, method: str, url: str, seconds: float, *, tries: int, **request: Any) -> requests.Response:
    """Send a request and return the answer, as `post` does; also for other methods."""
    ends_at = time.monotonic() + seconds
    parts = urlsplit(url)
    register_secrets(url, parts.path, parts.query, f"{parts.path}?{parts.query}")  # libraries log it without its host
    session = Session(deadline=seconds, max_bytes=MAX_ANSWER_BYTES, allow_http=url.startswith("http:"))
    with session, complete_within(seconds):
        for number in range(1, tries + 1):
            try:
                answer = session.request(method, url, **request)
            except AzureError as error:  # a bundle of certificates that is not there
                raise ChannelError(str(error)) from None
            except (requests.RequestException, UnicodeError) as error:
                last, pause = ChannelError(f"{who} cannot be reached ({type(error).__name__})."), 0.0
            else:
                if answer.status_code not in _BUSY:
                    return answer
                last, pause = _not_taken(who, answer), read_retry_after(answer.headers) or 0.0
            pause = max(pause, FIRST_PAUSE * 2 ** (number - 1))
            if number == tries or time.monotonic() + pause >= ends_at:
                break
            session.stop.wait(pause)
    raise last


def _not_taken(who: str, answer: requests.Response) -> ChannelError:
    """Return the error for an answer that says that a message was not taken."""
    is_refusal = answer.status_code not in _BUSY
    said = f": {quote_answer(answer.text, length=100)}" if answer.status_code == 200 and answer.text.strip() else ""
    reason = f"{who} answered {answer.status_code}{said}."
    return ChannelError(reason, is_refusal=is_refusal, retry_after=read_retry_after(answer.headers) or 0.0)


def _json_object(answer: requests.Response) -> dict[str, Any] | None:
    """Return the JSON object of an answer; None where it is no such thing."""
    try:
        said = answer.json()
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def make_channels(settings: AlertSettings) -> list[Channel]:
    """Return the channels that are set."""
    channels: list[Channel] = []
    if settings.slack_token:
        url = settings.slack_url
        channels.append(Slack(settings.slack_token, settings.slack_channel, url if url.endswith("/") else f"{url}/"))
    if settings.teams:
        channels.append(Teams(settings.teams))
    if settings.webhook:
        channels.append(Webhook(settings.webhook, settings.webhook_secret))
    return channels


def _slack(text: str) -> str:
    """Return a text without anything that Slack would obey."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([*_~`@])", "\u200b\\1", text)


def _markdown(text: str) -> Any:
    """Return a text without anything that an adaptive card would obey."""
    return re.sub(r"([\\`*_\[\]()#<>~|!-])", r"\\\1", text)
