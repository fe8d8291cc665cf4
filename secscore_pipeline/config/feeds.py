"""Feeds: the connections that are read into one database, one by the settings or several by feeds.yaml."""

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.registry import SECSCORE_FEEDS, SECSCORE_SCHEDULE, SECSCORE_TIMEZONE
from secscore_pipeline.errors import explain
from secscore_pipeline.system.encodings import EncodingError, decode_text
from secscore_pipeline.text import describe_value, show_path

DEFAULT_NAME = "default"

_DEEPEST = 32
"""How deep feeds.yaml may be nested; a feed takes five levels."""

_LONGEST = 10_000_000
"""Bytes of a file of feeds; 50,000 subscriptions take two million."""

_SETTINGS = {
    "tenant_id": "AZURE_TENANT_ID",
    "client_id": "AZURE_CLIENT_ID",
    "cloud": "AZURE_CLOUD",
    "authority_host": "AZURE_AUTHORITY_HOST",
    "arm_endpoint": "SECSCORE_ARM_ENDPOINT",
    "ca_bundle": "SECSCORE_CA_BUNDLE",
    "subscriptions": "AZURE_SUBSCRIPTION_IDS",
    "management_group": "AZURE_MANAGEMENT_GROUP_ID",
    "include": "SECSCORE_INCLUDE",
    "exclude": "SECSCORE_EXCLUDE",
    "event_types": "SECSCORE_EVENT_TYPES",
}
_CREDENTIAL_SETTINGS = {
    "secret_expires": "SECSCORE_SECRET_EXPIRES",
    "certificate": "AZURE_CLIENT_CERTIFICATE_PATH",
    "federated_token_file": "AZURE_FEDERATED_TOKEN_FILE",
}
_SECRETS = {"secret": "AZURE_CLIENT_SECRET", "certificate_password": "AZURE_CLIENT_CERTIFICATE_PASSWORD"}


@dataclass(frozen=True)
class Feed:
    """One connection and what it reads.

    Attributes:
        name: what it is called in the tables and in Dagster.
        settings: its settings by their names; None for those of the environment.
        secrets: the environment variable that holds each of its secrets, by the setting's name.
        schedule: when it runs, as cron has it; time_zone: of which zone.
        owner: the team that answers for it; contact: where that team is reached.
        others: the names of the feeds beside it.
    """

    name: str = DEFAULT_NAME
    settings: Mapping[str, str] | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)
    schedule: str = SECSCORE_SCHEDULE.read_text({})
    time_zone: str = "UTC"
    owner: str = ""
    contact: str = ""
    others: tuple[str, ...] = ()

    @property
    def partition(self) -> str | None:
        """Its partition of the raw assets; None where it is the only feed, by the settings of the environment."""
        return None if self.settings is None else self.name

    @property
    def resource_key(self) -> str:
        """What its connection is called among Dagster's resources."""
        return f"azure_{self.partition}" if self.partition else "azure"


def read_feeds() -> tuple[Feed, ...]:
    """Return the feeds of the file that SECSCORE_FEEDS names; without one, a feed of the environment's settings.

    Raises:
        SettingsError: names every line of the file that is wrong. No value of the file is repeated.
    """
    path = SECSCORE_FEEDS.read()
    if not path.exists():
        if os.environ.get("SECSCORE_FEEDS", "").strip():
            raise SettingsError([explain(f"SECSCORE_FEEDS={show_path(path)} is no file.", "feeds-malformed")])
        return (_make_default_feed(),)
    if not (path.is_file() or path == Path(os.devnull)):
        raise SettingsError([explain(f"SECSCORE_FEEDS={show_path(path)} is no file.", "feeds-malformed")])
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
        text = decode_text(content) if len(content) <= _LONGEST else None
    except (OSError, EncodingError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        what = f"SECSCORE_FEEDS={show_path(path)} cannot be read as text: {why or type(error).__name__}."
        raise SettingsError([explain(what, "feeds-malformed")]) from error
    if text is None:
        what = f"SECSCORE_FEEDS={show_path(path)} has more than {_LONGEST:,} bytes."
        raise SettingsError([explain(what, "feeds-malformed")])
    if not text.strip():
        return (_make_default_feed(),)
    return _read(path, text, SECSCORE_SCHEDULE.read(), SECSCORE_TIMEZONE.read())


def _make_default_feed() -> Feed:
    """Return the feed of the environment's settings."""
    return Feed(schedule=SECSCORE_SCHEDULE.read(), time_zone=SECSCORE_TIMEZONE.read())


@lru_cache(maxsize=1)
def _read(path: Path, text: str, schedule: str, time_zone: str) -> tuple[Feed, ...]:
    """Return the feeds of a file, which a command reads more than once, and which may take seconds to read."""
    import yaml  # only where there is such a file

    try:
        depth = 0
        for token in yaml.scan(text, Loader=yaml.BaseLoader):
            kind = type(token).__name__  # such as FlowSequenceStartToken and BlockEndToken
            depth += kind.endswith("StartToken") - kind.endswith("EndToken")
            if depth > _DEEPEST:  # each level makes PyYAML slower
                raise _make_file_error(path, [(token.start_mark.line + 1, "is nested without end")])
            if isinstance(token, yaml.AnchorToken | yaml.AliasToken):  # a few bytes of them can make gigabytes
                what = "has an anchor or alias (& or *): a text that begins so belongs in quotes"
                raise _make_file_error(path, [(token.start_mark.line + 1, what)])
        node = yaml.compose(text, Loader=yaml.BaseLoader)
        content = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - makes strings, lists and mappings only
        problems = list(_problems(node, content))
    except RecursionError as error:
        raise _make_file_error(path, [(1, "is nested without end")]) from error
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", "no text")
        problem = re.sub(r"'[^']{2,}'", "something", problem)  # it may hold a value of the file
        raise _make_file_error(path, [(mark.line + 1 if mark else 1, f"is no YAML ({problem})")]) from error
    if problems:
        raise _make_file_error(path, problems)
    names = [given["name"] for given in content["feeds"]]
    feeds = tuple(_feed(given, names, schedule, time_zone) for given in content["feeds"])
    if problems := list(_overlaps(node, feeds)):
        raise _make_file_error(path, problems)
    return feeds


def _make_file_error(path: Path, problems: list[tuple[int, str]]) -> SettingsError:
    return SettingsError([explain(f"{path}, line {line}: {what}.", "feeds-malformed") for line, what in problems])


def _problems(node: Any, content: Any) -> Iterator[tuple[int, str]]:
    """Yield the line of each thing that the schema does not allow, and what should stand there."""
    from jsonschema import Draft202012Validator

    yield from _find_repeated_keys(node)
    schema = json.loads(files(__package__).joinpath("feeds.schema.json").read_text(encoding="utf-8"))
    errors: list[Any] = list(Draft202012Validator(schema).iter_errors(content))
    for error in sorted(errors, key=lambda error: list(map(str, error.path))):
        here = list(error.absolute_path)
        if error.validator == "additionalProperties":
            allowed = error.schema["properties"]
            for key in error.instance.keys() - allowed.keys():
                known = ", ".join(allowed)
                yield (
                    _line(node, [*here, key]),
                    f"{describe_value('a key', key, *allowed)} is not known here; known are {known}",
                )
        elif error.validator == "required":
            missing = [key for key in error.schema["required"] if key not in error.instance]
            yield _line(node, here), f"{', '.join(missing)} is missing"
        else:
            where = ".".join(str(part) for part in here if not isinstance(part, int)) or "the file"
            yield _line(node, here), f"{where} must be {_describe_error(error, schema)}"


def _describe_error(error: Any, schema: Any) -> str:
    """Return what the schema says of the place where an error is: the nearest description."""
    place, said = schema, str(schema["description"])
    for part in error.absolute_schema_path:
        place = place[part]
        if isinstance(place, dict) and "$ref" in place:
            place = schema["$defs"][place["$ref"].rpartition("/")[2]]
        if isinstance(place, dict) and isinstance(place.get("description"), str):
            said = place["description"]
    return said


def _line(node: Any, path: list[Any]) -> int:
    """Return the line, from 1, of a place in the file; of a key, where the key stands."""
    line = node.start_mark.line + 1 if node else 1
    for part in path:
        if isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line + 1
            continue
        found = next(((key, value) for key, value in node.value if key.value == part), None)
        if found is None:
            return line
        line, node = found[0].start_mark.line + 1, found[1]
    return int(line)


def _find_repeated_keys(node: Any) -> Iterator[tuple[int, str]]:
    """Yield each key that stands twice in one place: YAML would silently take the last."""
    for child in node.value if node is not None and not isinstance(node.value, str) else ():
        if isinstance(child, tuple):
            yield from _find_repeated_keys(child[1])
        else:
            yield from _find_repeated_keys(child)
    if node is not None and node.id == "mapping":
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                yield key.start_mark.line + 1, "this key stands twice"
            seen.add(key.value)


def _feed(given: Mapping[str, Any], names: list[str], schedule: str, time_zone: str) -> Feed:
    credential = given["credential"]
    settings = {_SETTINGS[key]: _text(value) for key, value in given.items() if key in _SETTINGS}
    settings |= {_CREDENTIAL_SETTINGS[key]: text for key, text in credential.items() if key in _CREDENTIAL_SETTINGS}
    if "managed_identity" in credential:
        settings |= {"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential"}
    return Feed(
        name=given["name"],
        settings=settings,
        secrets={_SECRETS[key]: secret["env"] for key, secret in credential.items() if key in _SECRETS},
        schedule=given.get("schedule", schedule),
        time_zone=given.get("time_zone", time_zone),
        owner=given.get("owner", ""),
        contact=given.get("contact", ""),
        others=tuple(name for name in names if name != given["name"]),
    )


def _text(value: Any) -> str:
    """Return a value as a setting holds it; a comma in a pattern of names becomes `?`, which fits it."""
    return ",".join(one.replace(",", "?") for one in value) if isinstance(value, list) else str(value)


def _overlaps(node: Any, feeds: tuple[Feed, ...]) -> Iterator[tuple[int, str]]:
    """Yield what no schema can say: two feeds of one name or for the same subscription, and an unknown time zone."""
    places: dict[object, list[int]] = defaultdict(list)
    for number, feed in enumerate(feeds):
        settings = feed.settings or {}
        places[f"the name {feed.name!r}"].append(number)
        listed = settings.get("AZURE_SUBSCRIPTION_IDS", "*").lower()
        if listed != "*":
            for one in sorted(set(listed.split(","))):
                places[f"the subscription {one}"].append(number)
        else:
            scope = ("AZURE_TENANT_ID", "AZURE_MANAGEMENT_GROUP_ID", "SECSCORE_INCLUDE", "SECSCORE_EXCLUDE")
            places[tuple(settings.get(name, "").lower() for name in scope)].append(number)
        try:
            ZoneInfo(feed.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            yield _line(node, ["feeds", number, "time_zone"]), "time_zone must be a time zone such as UTC"
    for what, numbers in places.items():
        first, *again = numbers
        for number in again:
            shared = what if isinstance(what, str) else "the same tenant and the same subscriptions of it"
            yield _line(node, ["feeds", number]), f"feed {number + 1} has {shared}, as feed {first + 1} has"
