"""What settings may hold: each kind parses a text as a typed value, or refuses it; no message shows a secret.

Not through pydantic-settings: importing it takes about 130 ms of processor time, which every command would pay since
each checks all settings first, and its errors repeat what was given. msgspec takes 1e3 for a whole number, and nan.
"""

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Generic, NoReturn, TypeVar
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from secscore_pipeline.errors import ExplainedError, explain
from secscore_pipeline.system.encodings import unicode_encoding
from secscore_pipeline.text import GUID, describe_value, show_path

T = TypeVar("T")

DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}")

_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?")
_PATH_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_WHOLE = re.compile(r"[0-9]{1,6}")
_DECIMAL = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
"""Not more digits than any number of days, runs, connections, subscriptions or points has."""

_LONGEST_NAME = 255
"""How many bytes a file's name may have on Linux and macOS."""

_LONGEST_PATH = 1024 if sys.platform == "darwin" else 4096
"""How many bytes an absolute path may have there, with the byte that ends it (PATH_MAX)."""

_ROOM_FOR_NEIGHBOURS = 64
"""How many bytes files beside a database need for their names: .work, .previous-1 and others."""

_FEBRUARY_DAYS = 29


class SettingsError(ExplainedError):
    """One or more settings are missing or malformed: a message for each, with its name; no secret in any."""


@dataclass(frozen=True)
class Kind(Generic[T]):
    """What a setting may hold.

    Attributes:
        values: the values that it takes, for help and documents.
        parse: returns the typed value of a text, and raises SettingsError where it is none; the first argument is the
            setting's name, for the message.
    """

    values: str
    parse: Callable[[str, str], T]


def refuse(what: str, failure: str, **known: object) -> NoReturn:
    """Raise the error of one malformed setting.

    Args:
        what: one sentence that says what is wrong.
        failure: its name in the catalogue of failures.
        known: what the resolution has places for.

    Raises:
        SettingsError: always.
    """
    raise SettingsError([explain(what, failure, **known)])


def split_list(text: str) -> tuple[str, ...]:
    """Return the parts of a text between commas, each once, without blanks around them."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def text_of(values: str) -> Kind[str]:
    """Return the kind of any text."""
    return Kind(values, lambda _, text: text)


def list_of(values: str) -> Kind[tuple[str, ...]]:
    """Return the kind of any texts, separated by commas."""
    return Kind(values, lambda _, text: split_list(text))


def whole_number(what: str, least: int = 1, most: int = 999_999) -> Kind[int]:
    """Return the kind of a whole number.

    Args:
        what: what is counted and the range, such as "of days, 1 or more"; after a semicolon, what else there is to say.
        least: the smallest that is taken.
        most: the largest.
    """

    def parse(name: str, text: str) -> int:
        if not (_WHOLE.fullmatch(text) and least <= int(text) <= most):
            wrong = f"{describe_value(name, text)} is not a whole number {what.partition(';')[0]}."
            refuse(wrong, "number-malformed", range=f"a whole number {what}")
        return int(text)

    return Kind(f"a whole number {what}", parse)


def decimal_number(what: str) -> Kind[float]:
    """Return the kind of a number of 0 or more that may have decimals; `what` says what it counts, with an example."""

    def parse(name: str, text: str) -> float:
        if not _DECIMAL.fullmatch(text):
            wrong = f"{describe_value(name, text)} is not a number {what}."
            refuse(wrong, "number-malformed", range=f"a number {what}")
        return float(text)

    return Kind(f"a number {what}", parse)


def empty_or(kind: Kind[T]) -> Kind[T | None]:
    """Return the kind of a setting that may be empty: None."""
    return Kind(kind.values, lambda name, text: kind.parse(name, text) if text else None)


def off_or(kind: Kind[T]) -> Kind[T | None]:
    """Return the kind of a setting that may be `off`: None."""
    return Kind(f"{kind.values}, or off", lambda name, text: None if text.lower() == "off" else kind.parse(name, text))


def _join(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def choice(*choices: str, failure: str = "policy-malformed") -> Kind[str]:
    """Return the kind of one of a few words, in any case; empty where none was given and the default is empty."""
    known = {one.lower(): one for one in choices}
    values = _join(choices)

    def parse(name: str, text: str) -> str:
        if text and text.lower() not in known:
            what = f"{describe_value(name, text, *choices)} is not one of the values that it takes."
            refuse(what, failure, setting=name, choices=values)
        return known.get(text.lower(), "")

    return Kind(values, parse)


def on_or_off() -> Kind[bool]:
    """Return the kind of a switch; `true` and `false` are understood too."""
    words = choice("on", "off")
    same = {"true": "on", "false": "off"}
    return Kind(words.values, lambda name, text: words.parse(name, same.get(text.lower(), text)) == "on")


def some_of(choices: tuple[str, ...], failure: str, *, may_be_empty: bool = False) -> Kind[tuple[str, ...]]:
    """Return the kind of several of a few words, separated by commas."""

    def parse(name: str, text: str) -> tuple[str, ...]:
        given = split_list(text.lower())
        what = [
            f"{describe_value(name, one, *choices)} names something unknown." for one in given if one not in choices
        ]
        if not (given or may_be_empty):
            what = [f"{name} names nothing."]
        if what:
            some = f"some of {', '.join(choices)}"
            raise SettingsError([explain(one, failure, setting=name, choices=some) for one in what])
        return given

    return Kind(f"one or more of {', '.join(choices)}, separated by commas", parse)


def guid(failure: str) -> Kind[str]:
    """Return the kind of a GUID, or nothing."""

    def parse(name: str, text: str) -> str:
        if text and not GUID.fullmatch(text):
            refuse(f"{describe_value(name, text)} is no GUID.", failure, setting=name, choices="a GUID")
        return text

    return Kind("a GUID", parse)


def tenant() -> Kind[str]:
    """Return the kind of a tenant: a GUID or a domain, or nothing, since whether it is needed is checked elsewhere."""

    def parse(name: str, text: str) -> str:
        if text and not (GUID.fullmatch(text) or DOMAIN.fullmatch(text)):
            refuse(f"{describe_value(name, text)} is neither a GUID nor a domain.", "tenant-malformed")
        return text

    return Kind("a GUID or a domain", parse)


def subscriptions() -> Kind[tuple[str, ...] | None]:
    """Return the kind of a list of subscriptions, lower case; None for all of them."""

    def parse(name: str, text: str) -> tuple[str, ...] | None:
        given = split_list(text.lower())
        if given == ("*",):
            return None
        what = [
            f"{describe_value(f'{name}, number {number}', one)} is no GUID."
            for number, one in enumerate(given, 1)
            if not GUID.fullmatch(one)
        ]
        if not given:
            what = [f"{name} names no subscription."]
        if what:
            raise SettingsError([explain(one, "subscriptions-malformed") for one in what])
        return given

    return Kind("GUIDs, separated by commas, or *", parse)


def choice_by_name(known: Mapping[str, T], failure: str) -> Kind[T]:
    """Return the kind of what is known by a name, in any case."""
    by_lower = {name.lower(): one for name, one in known.items()}

    def parse(name: str, text: str) -> T:
        if text.lower() not in by_lower:
            what = f"{describe_value(name, text, *known)} is unknown."
            refuse(what, failure, setting=name, choices=_join(tuple(known)))
        return by_lower[text.lower()]

    return Kind(_join(tuple(known)), parse)


def day() -> Kind[date]:
    """Return the kind of a day."""

    def parse(name: str, text: str) -> date:
        try:
            return date.fromisoformat(text)
        except ValueError:
            refuse(f"{describe_value(name, text)} is no date.", "date-malformed")

    return Kind("a date such as 2027-01-31", parse)


def expand_path(setting: str, given: str) -> Path:
    """Return the path that a setting names; `~` and `~user` are home directories.

    Raises:
        SettingsError: there is no such user, or the text is no path.
    """
    try:
        path = Path(given).expanduser()
    except RuntimeError as error:  # Python's word for a user that is not there, or a process without a home
        what = f"{setting} begins with ~, and that home directory is not known."
        raise SettingsError([explain(what, "home-unknown", setting=setting)]) from error
    is_too_long = len(os.fsencode(path.absolute())) + _ROOM_FOR_NEIGHBOURS > _LONGEST_PATH
    if "\0" in given or is_too_long or any(len(os.fsencode(part)) > _LONGEST_NAME for part in path.parts):
        refuse(f"{describe_value(setting, given)} is no path.", "folder-unusable", setting=setting)
    return path


def path_of(values: str) -> Kind[Path]:
    """Return the kind of a path; whether it is there is checked by those who use it."""
    return Kind(values, expand_path)


def metrics_file() -> Kind[Path]:
    """Return the kind of a file that Prometheus's node-exporter reads, absolute."""

    def parse(name: str, text: str) -> Path:
        path = expand_path(name, text)
        if path.suffix != ".prom":
            what = f"{name}={show_path(path)} does not end in .prom, and node-exporter would not read it."
            refuse(what, "metrics-unwritable")
        return path.absolute()

    return Kind("a path that ends in .prom", parse)


def ca_bundle() -> Kind[str]:
    """Return the kind of a PEM file that OpenSSL can read."""

    def parse(name: str, text: str) -> str:
        if not Path(text).is_file():
            refuse(f"{name}={show_path(Path(text))} is no file.", "ca-bundle-missing", setting=name)
        if why := _find_pem_problem(Path(text)):
            refuse(f"{name}={show_path(Path(text))} {why}.", "encoding-unknown")
        return text

    return Kind("the path of a PEM file", parse)


def _find_pem_problem(path: Path) -> str | None:
    """Return what makes OpenSSL pass over a certificate of a PEM file in silence; None where nothing does."""
    try:
        encoding = unicode_encoding(path.read_bytes())
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if encoding is None:
        return None
    return "begins with a byte order mark" if encoding == "utf-8-sig" else "is a text in UTF-16 or UTF-32"


def endpoint(example: str) -> Kind[str]:
    """Return the kind of a host that tokens are sent to: an https URL without its last slash, or nothing.

    A bare host name is taken as https.
    """

    def parse(name: str, text: str) -> str:
        if not text:
            return ""
        plain = text.rstrip("/")
        url = plain if "://" in plain else f"https://{plain}"
        try:
            parts = urlsplit(url)
            is_right_port = parts.port is None or parts.port > 0
        except ValueError:
            parts, is_right_port = urlsplit("https:"), False
        what = None
        if parts.scheme != "https" or not parts.hostname or not is_right_port:
            what = f"{name} is no https URL: a token is never sent in clear."
        elif not (DOMAIN.fullmatch(parts.hostname) or parts.hostname == "localhost" or _is_address(parts.hostname)):
            what = f"{name} names no host."
        elif parts.username is not None or parts.query or parts.fragment:
            what = f"{name} holds more than a host and a path."
        if what:
            refuse(what, "url-malformed", example=example)
        return url

    return Kind(f"an https URL such as {example}", parse)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def receiver_url() -> Kind[str]:
    """Return the kind of a URL to send to, which may be a secret: https, or http to this machine; or nothing."""

    def parse(name: str, text: str) -> str:
        try:
            parts = urlsplit(text)
            is_here = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
            is_right = (parts.scheme == "https" and parts.hostname) or is_here
            _ = parts.port  # a port that is no number raises
        except ValueError:
            is_right = False
        if text and not is_right:
            refuse(f"{name} is no https URL.", "url-malformed", example="https://example.com/hook")
        return text

    return Kind("an https URL", parse)


def web_url() -> Kind[str]:
    """Return the kind of a URL that a browser opens."""

    def parse(name: str, text: str) -> str:
        try:
            urlsplit(text)
        except ValueError:
            refuse(f"{name} is no URL.", "url-malformed", example="https://secscore.example.com")
        return text

    return Kind("a URL", parse)


def hosts() -> Kind[frozenset[str]]:
    """Return the kind of names of hosts, with or without a port, lower case."""

    def parse(name: str, text: str) -> frozenset[str]:
        given = frozenset(split_list(text.lower()))
        if wrong := sorted(host for host in given if not _HOST.fullmatch(host)):
            refuse(f"{describe_value(name, wrong[0])} holds what is no host.", "ui-host-malformed")
        return given

    return Kind("hosts, separated by commas", parse)


def path_part() -> Kind[str]:
    """Return the kind of a name that may be part of a path in any store."""

    def parse(name: str, text: str) -> str:
        if not _PATH_PART.fullmatch(text):
            refuse(f"{describe_value(name, text)} is no name.", "export-layout-malformed")
        return text

    return Kind("letters, digits, dots, - and _", parse)


def cron(*, can_be_off: bool = False) -> Kind[str]:
    """Return the kind of a cron expression that Dagster takes; empty for `off`, where that is allowed."""

    def parse(name: str, text: str) -> str:
        if can_be_off and text.lower() == "off":
            return ""
        if not is_valid_cron(text):
            what = f"{describe_value(name, text)} is not a cron expression."
            refuse(what, "schedule-malformed", setting=name, example="a cron expression such as 0 5 * * *")
        return text

    return Kind(f"a cron expression{', or off' if can_be_off else ''}", parse)


def is_valid_cron(text: str) -> bool:
    """Return whether a text is a cron expression that Dagster takes: five fields, of days that there are."""
    from croniter import croniter  # only where settings are checked: --help does without

    if not croniter.is_valid(text):
        return False
    fields, *_ = croniter.expand(text)
    if len(fields) != 5:
        return False
    days, months = fields[2], fields[3]
    return not (months == [2] and len(days) == 1 and days[0] != "*" and int(days[0]) > _FEBRUARY_DAYS)


def time_zone() -> Kind[str]:
    """Return the kind of a time zone's name."""

    def parse(name: str, text: str) -> str:
        if text != "UTC" and text not in _list_time_zones():
            what = f"{describe_value(name, text)} is not a time zone."
            refuse(what, "schedule-malformed", setting=name, example="a time zone such as Europe/Berlin")
        return text

    return Kind("a time zone such as Europe/Berlin", parse)


@cache
def _list_time_zones() -> set[str]:
    """Return the names of the time zones: read from hundreds of files, 15 ms."""
    return available_timezones()
