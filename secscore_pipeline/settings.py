"""The settings: their names in the environment, what they mean, what they default to, and their checking."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from secscore_pipeline.azure.clouds import PUBLIC_ARM, PUBLIC_AUTHORITY
from secscore_pipeline.azure.secure_score import SECURE_SCORE_CONTROLS, SECURE_SCORES, EventType

EVENT_TYPES = {event_type.name: event_type for event_type in (SECURE_SCORES, SECURE_SCORE_CONTROLS)}

GUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
SCHEMAS = frozenset({"raw", "ocsf", "posture", "meta", "main"})
_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}")


@dataclass(frozen=True)
class Setting:
    """One setting: its name in the environment, a line that explains it, and its default (None: required)."""

    name: str
    meaning: str
    default: str | None = None


SETTINGS = (
    Setting("AZURE_TENANT_ID", "The Entra tenant: its GUID or one of its domains."),
    Setting("AZURE_CLIENT_ID", "The application (client) id of the app registration."),
    Setting("AZURE_CLIENT_SECRET", "The value of its client secret (not the secret's ID)."),
    Setting("AZURE_SUBSCRIPTION_IDS", "The subscriptions to read: GUIDs, separated by commas."),
    Setting("AZURE_AUTHORITY_HOST", "Where to sign in.", PUBLIC_AUTHORITY),
    Setting("SECSCORE_ARM_ENDPOINT", "Azure Resource Manager.", PUBLIC_ARM),
    Setting(
        "SECSCORE_CA_BUNDLE",
        "A PEM file with a private CA to trust for both hosts; empty: the usual store.",
        "",
    ),
    Setting("SECSCORE_DATABASE", "The DuckDB file.", "data/secscore.duckdb"),
    Setting("SECSCORE_MAX_CONNECTIONS", "How many requests to keep under way at once.", "64"),
    Setting("SECSCORE_EVENT_TYPES", "What to read.", ",".join(EVENT_TYPES)),
    Setting(
        "SECSCORE_PARTIAL_FAILURE",
        "What a run is in which some subscriptions could not be read: warn or fail. The others are stored.",
        "warn",
    ),
    Setting(
        "SECSCORE_RETENTION_DAYS",
        "How many days `secscore maintain` keeps; empty: all of them.",
        "",
    ),
)
DEFAULTS = {setting.name: setting.default for setting in SETTINGS if setting.default is not None}
REQUIRED = tuple(setting.name for setting in SETTINGS if setting.default is None)


class SettingsError(Exception):
    """One or more settings are missing or malformed.

    Args:
        problems: one sentence for each, with the setting's name and what to do; no secret in any.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class AzureSettings:
    """The checked settings of one connection to Azure; `client_secret` is kept out of `repr`."""

    tenant_id: str
    client_id: str
    client_secret: str
    subscription_ids: tuple[str, ...]
    authority_host: str
    arm_endpoint: str
    ca_bundle: str | None
    max_connections: int
    event_types: tuple[EventType, ...]

    def __repr__(self) -> str:
        return f"AzureSettings(tenant_id={self.tenant_id!r}, client_id={self.client_id!r})"


def value(name: str, environment: Mapping[str, str] | None = None) -> str:
    """Return a setting as it stands in the environment, else its default, else an empty string."""
    given = (os.environ if environment is None else environment).get(name, "").strip()
    return given or DEFAULTS.get(name, "")


def azure_settings(values: Mapping[str, str]) -> AzureSettings:
    """Check the settings of a connection.

    Args:
        values: by their names in the environment; a missing or empty one takes its default.

    Raises:
        SettingsError: names every setting that is missing or malformed, not only the first.
    """
    problems: list[str] = []
    given = {setting.name: value(setting.name, values) for setting in SETTINGS}
    for name in REQUIRED:
        if not given[name]:
            problems.append(f"{name} is not set. Set it in the environment or in .env (see .env.example).")  # noqa: PERF401

    tenant_id = given["AZURE_TENANT_ID"]
    if tenant_id and not (GUID.fullmatch(tenant_id) or _DOMAIN.fullmatch(tenant_id)):
        problems.append(f"AZURE_TENANT_ID={tenant_id!r} is neither a GUID nor a domain. Copy it from Entra's overview.")
    client_id = given["AZURE_CLIENT_ID"]
    if client_id and not GUID.fullmatch(client_id):
        problems.append(f"AZURE_CLIENT_ID={client_id!r} is no GUID. Copy the application (client) id.")

    subscription_ids = tuple(dict.fromkeys(_split(given["AZURE_SUBSCRIPTION_IDS"].lower())))
    problems += [
        f"AZURE_SUBSCRIPTION_IDS holds {subscription_id!r}, which is no GUID. Separate GUIDs by commas."
        for subscription_id in subscription_ids
        if not GUID.fullmatch(subscription_id)
    ]
    if given["AZURE_SUBSCRIPTION_IDS"] and not subscription_ids:
        problems.append("AZURE_SUBSCRIPTION_IDS names no subscription. Separate GUIDs by commas.")

    names = tuple(dict.fromkeys(_split(given["SECSCORE_EVENT_TYPES"])))
    problems += [
        f"SECSCORE_EVENT_TYPES holds {name!r}, which is unknown. Use {' or '.join(EVENT_TYPES)}, or both."
        for name in names
        if name not in EVENT_TYPES
    ]
    if not names:
        problems.append(f"SECSCORE_EVENT_TYPES names nothing. Use {' or '.join(EVENT_TYPES)}, or both.")

    ca_bundle = given["SECSCORE_CA_BUNDLE"] or None
    if ca_bundle and not Path(ca_bundle).is_file():
        problems.append(f"SECSCORE_CA_BUNDLE={ca_bundle!r} is no file. Give the path of a PEM file.")

    connections = given["SECSCORE_MAX_CONNECTIONS"]
    if not (connections.isascii() and connections.isdigit() and 1 <= int(connections) <= 1000):
        problems.append(f"SECSCORE_MAX_CONNECTIONS={connections!r} is no number from 1 to 1000.")

    if (policy := given["SECSCORE_PARTIAL_FAILURE"]).lower() not in ("warn", "fail"):
        problems.append(f"SECSCORE_PARTIAL_FAILURE={policy!r} is neither warn nor fail.")

    authority_host = _https("AZURE_AUTHORITY_HOST", given, problems)
    arm_endpoint = _https("SECSCORE_ARM_ENDPOINT", given, problems)
    if problems:
        raise SettingsError(problems)
    return AzureSettings(
        tenant_id=tenant_id,
        client_id=client_id,
        client_secret=given["AZURE_CLIENT_SECRET"],
        subscription_ids=subscription_ids,
        authority_host=authority_host,
        arm_endpoint=arm_endpoint,
        ca_bundle=ca_bundle,
        max_connections=int(connections),
        event_types=tuple(EVENT_TYPES[name] for name in names),
    )


def partial_failure_fails() -> bool:
    """Tell whether a run that could not read every subscription counts as failed (SECSCORE_PARTIAL_FAILURE)."""
    return value("SECSCORE_PARTIAL_FAILURE").lower() == "fail"


def kept_days(given: str) -> int | None:
    """Return how many days are kept; None for all of them.

    Raises:
        SettingsError: it is no number of days.
    """
    if not given.strip():
        return None
    if not (given.isascii() and given.isdigit() and int(given) > 0):
        raise SettingsError([f"SECSCORE_RETENTION_DAYS={given!r} is no number of days. Leave it empty to keep all."])
    return int(given)


def database_path(given: str) -> Path:
    """Return the DuckDB file's absolute path; `~` is the home directory.

    Raises:
        SettingsError: it is a directory, or nothing.
    """
    path = Path(given or DEFAULTS["SECSCORE_DATABASE"]).expanduser().absolute()
    if path.stem.lower() in SCHEMAS:
        raise SettingsError(
            [
                f"SECSCORE_DATABASE={str(path)!r} has the name of one of its own schemas, and DuckDB takes a "
                f"file's name for its catalog: {path.stem}.… would be ambiguous. Name it otherwise."
            ]
        )
    if path.is_dir():
        raise SettingsError([f"SECSCORE_DATABASE={str(path)!r} is a folder. Give the path of a file in it."])
    return path


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _https(name: str, given: Mapping[str, str], problems: list[str]) -> str:
    """Return an endpoint without its last slash; note what is wrong with it. A bare host name is taken as https."""
    text = given[name].rstrip("/")
    url = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(url)
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_right = urlsplit("https:"), False
    if parts.scheme != "https" or not parts.hostname or not port_is_right:
        problems.append(f"{name} is no https URL. A token is never sent in clear: give one like {DEFAULTS[name]}.")
    elif parts.username is not None or parts.query or parts.fragment:
        problems.append(f"{name} holds more than a host and a path. Give one like {DEFAULTS[name]}.")
    return url
