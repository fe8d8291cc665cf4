"""The secrets that this process holds, and their removal from any text, in each encoding that they travel in.

Whoever makes or receives a secret registers it. Text of other programs and servers passes `redact` before it is stored,
logged or shown, so no caller has to know which secrets there are.
"""

import base64
import html
import json
import logging
import re
from collections import deque
from threading import Lock
from urllib.parse import quote, quote_plus

from secscore_pipeline.text import printable

_CODE = re.compile(r"[A-Za-z0-9_.\- ]{1,100}")

REDACTED = "***"
"""What stands in the place of a secret."""

SHORTEST_SECRET = 6
"""A shorter value is not searched for: it would be found in any text."""

_REMEMBERED_TOKENS = 32
"""How many of the newest tokens are kept. Each is good for an hour or a day; a process may run for months."""

_PATTERNS = re.compile(
    r"eyJ[\w-]+\.[\w-]+\.[\w-]*"  # a JSON web token: an access token or a client assertion
    r"|(?<=Bearer )\S+|(?<=Basic )\S+"
    r"|(?<=client_secret=)[^&\s\"'<>]+|(?<=client_assertion=)[^&\s\"'<>]+",
    re.IGNORECASE,
)

_URL_SAFE = str.maketrans("+/", "-_")

_secrets: dict[str, tuple[str, ...]] = {}
"""The forms of each secret, the longest first, so that no shorter one leaves a rest of it."""

_tokens: deque[tuple[str, ...]] = deque(maxlen=_REMEMBERED_TOKENS)
_lock = Lock()


def register_secrets(*secrets: str) -> None:
    """Have these values removed from every text that passes `redact` from now on, in this process.

    Args:
        secrets: values such as a client secret or a password; empty and very short ones are ignored.
    """
    with _lock:
        for secret in secrets:
            if len(secret) >= SHORTEST_SECRET and secret not in _secrets:
                _secrets[secret] = _encoded_forms(secret)


def register_token(token: str) -> None:
    """Have an access token removed like a secret, until many newer ones have been registered."""
    with _lock:
        _tokens.append(_encoded_forms(token))


def redact(text: str, *also: str) -> str:
    """Return a text without the registered secrets, as they are or encoded, and without what has the form of a token.

    The encodings are percent-encoding, base64 at any offset, and the escapes of JSON and HTML.

    Args:
        text: any text.
        also: what else to remove from it.
    """
    with _lock:
        known = [form for forms in (*_secrets.values(), *_tokens) for form in forms]
    for form in (*known, *(form for secret in also for form in _encoded_forms(secret))):
        if form in text:
            text = text.replace(form, REDACTED)
    return _PATTERNS.sub(REDACTED, text)


def _encoded_forms(secret: str) -> tuple[str, ...]:
    """Return the forms of a secret to search for, the longest first."""
    raw = secret.encode()
    percent_encoded = {
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        "".join(f"%{byte:02X}" for byte in raw),
    }
    forms = {
        secret,
        *percent_encoded,
        *(re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), form) for form in percent_encoded),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        "".join(f"\\u{ord(character):04x}" for character in secret),
        html.escape(secret),
        html.escape(secret, quote=False),
        raw.hex(),
    }
    for offset in range(3):
        core = _base64_core(raw, offset)
        forms |= {core, core.translate(_URL_SAFE)}
    return tuple(sorted((form for form in forms if len(form) >= SHORTEST_SECRET), key=len, reverse=True))


def _base64_core(raw: bytes, offset: int) -> str:
    """Return the characters of base64 that depend on `raw` alone, where `offset` other bytes stand before it."""
    encoded = base64.b64encode(b"\0" * offset + raw).decode()
    first = -(-offset * 8 // 6)
    last = (offset + len(raw)) * 8 // 6
    return encoded[first:last]


class RedactingFormatter(logging.Formatter):
    """Formats log records with their tracebacks, and removes secrets from the whole of it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line or lines of a record."""
        return redact(super().format(record))


class _Forwarder(logging.Handler):
    """Passes a library's records on to a logger of this package, redacted and without tracebacks, as details."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):  # a message whose arguments do not fit it
            text = str(record.msg)
        logging.getLogger(f"{__package__}.libraries").debug("%s: %s", record.name, redact(text))


_FORWARDED_LOGGERS = ("msal", "urllib3", "requests", "slack_sdk")


def take_over_library_loggers() -> None:
    """Have libraries that see secrets log through this package alone: shown with --verbose, and redacted.

    Without it Python prints their warnings to standard error, and Dagster stores that; MSAL logs whole answers.
    """
    for name in _FORWARDED_LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(handler, _Forwarder) for handler in logger.handlers):
            logger.handlers[:] = [_Forwarder()]
            logger.propagate = False


def quote_answer(text: str, *secrets: str, length: int = 300) -> str:
    """Return what a server said as it may stand in a message: short, printable, without a token or secret.

    Args:
        text: as received.
        secrets: what must not appear, though a server or proxy may send it back.
        length: characters to keep.
    """
    return printable(redact(text[: max(length * 20, 10_000)], *secrets)[:length])


def bounded_code(given: object) -> str | None:
    """Return a code or id that a server sent as it may be stored, logged and shown; None where it is no such thing.

    Args:
        given: what stands where a code should.

    Source: Azure Resource Manager's error codes and request ids, which are letters, digits, `_`, `.`, `-` and blanks.
    """
    if not isinstance(given, str) or not _CODE.fullmatch(given):
        return None
    return given if redact(given) == given else None
