"""The settings: their names in the environment, what they mean, what they default to, and their checking."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from secscore_pipeline.azure.clouds import CLOUDS, Cloud, cloud_named
from secscore_pipeline.azure.credentials import (
    ClientCertificate,
    ClientSecret,
    Credential,
    ManagedIdentity,
    WorkloadIdentity,
)
from secscore_pipeline.azure.secure_score import SECURE_SCORE_CONTROLS, SECURE_SCORES, EventType
from secscore_pipeline.config.patterns import fits_pattern, normalize_name
from secscore_pipeline.errors import explained
from secscore_pipeline.system.encodings import unicode_encoding
from secscore_pipeline.system.redaction import register_secrets
from secscore_pipeline.text import GUID, describe_value, printable, show_path

EXPORTS = ("jsonl", "parquet", "security-lake", "csv", "xlsx")
"""The formats of exports."""

EVENT_TYPES = {event_type.name: event_type for event_type in (SECURE_SCORES, SECURE_SCORE_CONTROLS)}

SCHEMAS = frozenset({"raw", "ocsf", "posture", "meta", "main"})
_LAKE = "ducklake:"
_PATH_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DIGITS = 7
"""How many digits no number of days, runs, connections or subscriptions has."""

_LONGEST_NAME = 255
"""How many bytes a file's name may have on Linux and macOS."""

_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}")


_INVISIBLE = re.compile(r"^[\ufeff\u200b-\u200f\u2060]|[\ufeff\u200b-\u200f\u2060]$")
"""A byte order mark, or another character without a width, around a value."""


@dataclass(frozen=True)
class Setting:
    """One setting: its name in the environment, a line that explains it, and its default (None: required)."""

    name: str
    meaning: str
    default: str | None = None


SETTINGS = (
    Setting("AZURE_TENANT_ID", "The Entra tenant: its GUID or one of its domains."),
    Setting(
        "AZURE_CLIENT_ID",
        "The application (client) id of the app registration; for a managed identity, that of a user-assigned one.",
        "",
    ),
    Setting("AZURE_CLIENT_SECRET", "The value of its client secret (not the secret's ID).", ""),
    Setting(
        "AZURE_CLIENT_CERTIFICATE_PATH", "Or a certificate with its private key, PEM or PFX, in the secret's place.", ""
    ),
    Setting("AZURE_CLIENT_CERTIFICATE_PASSWORD", "What opens the certificate's private key, where it needs that.", ""),
    Setting("AZURE_FEDERATED_TOKEN_FILE", "Or the file with a token of a platform that the application trusts.", ""),
    Setting(
        "AZURE_TOKEN_CREDENTIALS",
        "Which credential, if more than one is set: EnvironmentCredential (secret, certificate), "
        "WorkloadIdentityCredential or ManagedIdentityCredential.",
        "",
    ),
    Setting("AZURE_SUBSCRIPTION_IDS", "The subscriptions to read: GUIDs, separated by commas; * for all it sees.", "*"),
    Setting("AZURE_MANAGEMENT_GROUP_ID", "With *: those below this management group only.", ""),
    Setting(
        "SECSCORE_INCLUDE",
        "With *: patterns of names or ids to read, separated by commas, such as prod-* or [PROD]*. * stands for any "
        "characters, ? for one.",
        "",
    ),
    Setting("SECSCORE_EXCLUDE", "With *: patterns of names or ids to leave out.", ""),
    Setting(
        "SECSCORE_ENTITIES",
        "on or off: whether to store what subscriptions are called, where they lie and whose they are.",
        "on",
    ),
    Setting("SECSCORE_OWNER_TAG", "The subscriptions' tag that names their owner.", "owner"),
    Setting("AZURE_CLOUD", f"The Azure cloud: {', '.join(CLOUDS)}.", "AzureCloud"),
    Setting("AZURE_AUTHORITY_HOST", "Where to sign in, if not at the cloud's own host.", ""),
    Setting("SECSCORE_ARM_ENDPOINT", "Azure Resource Manager, if not the cloud's own.", ""),
    Setting(
        "SECSCORE_CA_BUNDLE",
        "A PEM file with a private CA to trust for both hosts; empty: the usual store.",
        "",
    ),
    Setting("SECSCORE_SECRET_EXPIRES", "The day the client secret ends on (2027-01-31): a check warns before it.", ""),
    Setting(
        "SECSCORE_FEEDS",
        "A file with several connections to read into one database; without it, these settings are the one there is.",
        "feeds.yaml",
    ),
    Setting(
        "SECSCORE_DATABASE",
        "The DuckDB file for readers: never locked, replaced as a whole after each run that stored something. Or a "
        "lake that several machines write: ducklake:postgres:host=… dbname=… (docs/scale.md).",
        "data/secscore.duckdb",
    ),
    Setting(
        "SECSCORE_WORK_DATABASE",
        "The DuckDB file that runs write; empty: beside it, with .work in its name. With a lake: the path on this "
        "machine beside which runs keep what is on its way.",
        "",
    ),
    Setting(
        "SECSCORE_DATA_PATH",
        "With a lake: the folder or URL (s3://bucket/x) of its Parquet files, the same for every machine.",
        "data/lake",
    ),
    Setting(
        "SECSCORE_KEEP_PUBLISHED",
        "How many of the published files before SECSCORE_DATABASE are kept beside it, with .previous-1 and so on in "
        "their names; 0: none. A lake keeps its own past.",
        "3",
    ),
    Setting("SECSCORE_MAX_CONNECTIONS", "How many requests to keep under way at once.", "64"),
    Setting(
        "SECSCORE_BATCH_SIZE",
        "How many subscriptions a run reads at most, about: with more there are several runs, side by side where "
        "SECSCORE_PARALLEL_RUNS allows it; empty: one run reads all.",
        "",
    ),
    Setting(
        "SECSCORE_PARALLEL_RUNS", "How many runs write at once; more than one takes a lake for SECSCORE_DATABASE.", "1"
    ),
    Setting("SECSCORE_EVENT_TYPES", "What to read.", ",".join(EVENT_TYPES)),
    Setting(
        "SECSCORE_PARTIAL_FAILURE",
        "What a run is in which some subscriptions could not be read: warn or fail. The others are stored.",
        "warn",
    ),
    Setting("SECSCORE_REPORT", "The report's HTML file.", "data/report.html"),
    Setting("SECSCORE_EXPORTS", "What each run exports: jsonl, parquet, security-lake, csv, xlsx; by commas.", ""),
    Setting("SECSCORE_EXPORT_URL", "Where to: a folder, or a URL that fsspec knows (s3://bucket/x).", "data/exports"),
    Setting("SECSCORE_EXPORT_SOURCE", "The custom source's name in the Security Lake layout.", "AzureSecureScore"),
    Setting("SECSCORE_EXPORT_REGION", "The region in the Security Lake layout.", "local"),
    Setting("SECSCORE_SCHEDULE", "When Dagster's schedule runs the job, as cron has it.", "0 5 * * *"),
    Setting("SECSCORE_TIMEZONE", "The time zone of that schedule.", "UTC"),
    Setting(
        "SECSCORE_SCHEDULES",
        "on or off: whether schedules run from the first time Dagster sees them, without being switched on in its UI.",
        "off",
    ),
    Setting("SECSCORE_ALERT_SLACK_TOKEN", "A Slack bot's token (chat:write): alerts go to Slack.", ""),
    Setting("SECSCORE_ALERT_SLACK_CHANNEL", "The Slack channel they go to.", "#alerts"),
    Setting("SECSCORE_ALERT_SLACK_URL", "Where Slack's API is; GovSlack has its own.", "https://slack.com/api/"),
    Setting("SECSCORE_ALERT_TEAMS", "The address of a Teams workflow or webhook: alerts go to Teams.", ""),
    Setting("SECSCORE_ALERT_WEBHOOK", "The address of any other receiver of alerts, as JSON.", ""),
    Setting("SECSCORE_ALERT_WEBHOOK_SECRET", "What its alerts are signed with (HMAC-SHA256).", ""),
    Setting("SECSCORE_ALERT_SCORE_DROP", "From how many percentage points a drop of a score is told.", "2"),
    Setting(
        "SECSCORE_BRIEFING", "When the briefing is sent, as cron has it, in SECSCORE_TIMEZONE; off: never.", "0 8 * * 1"
    ),
    Setting(
        "SECSCORE_UI_HOSTS",
        "The hosts under which Dagster's UI is reached besides loopback, such as that of a proxy before it, separated "
        "by commas; empty: that of SECSCORE_DAGSTER_URL.",
        "",
    ),
    Setting("SECSCORE_DAGSTER_URL", "Where Dagster's UI is, for the links in alerts.", "http://127.0.0.1:3000"),
    Setting(
        "SECSCORE_HEARTBEAT_URL",
        "A URL to call (GET) after each complete sync, as healthchecks.io and others give one; {feed} in it becomes "
        "the feed's name. It is a secret.",
        "",
    ),
    Setting(
        "SECSCORE_METRICS_FILE",
        "A file to write metrics to after each sync, for Prometheus: *.prom in the folder of node-exporter's textfile "
        "collector. Every user of the machine can read it.",
        "",
    ),
    Setting(
        "SECSCORE_RUN_RETENTION_DAYS",
        "How many days Dagster's record of a run is kept; empty: for good. It is no part of the database.",
        "",
    ),
    Setting(
        "SECSCORE_RETENTION_DAYS",
        "How many days `secscore maintain` and the job of its name keep; empty: all of them.",
        "",
    ),
)
DEFAULTS = {setting.name: setting.default for setting in SETTINGS if setting.default is not None}
REQUIRED = tuple(setting.name for setting in SETTINGS if setting.default is None)

SECRETS = (
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "SECSCORE_ALERT_SLACK_TOKEN",
    "SECSCORE_ALERT_TEAMS",
    "SECSCORE_ALERT_WEBHOOK",
    "SECSCORE_ALERT_WEBHOOK_SECRET",
    "SECSCORE_HEARTBEAT_URL",
)
"""The settings that never stand anywhere but in the environment."""

CREDENTIALS = ("EnvironmentCredential", "WorkloadIdentityCredential", "ManagedIdentityCredential")
"""What AZURE_TOKEN_CREDENTIALS may name, in the order in which they are looked for, as the Azure SDKs do."""


class SettingsError(Exception):
    """One or more settings are missing or malformed.

    Args:
        problems: one sentence for each, with the setting's name and what to do; no secret in any.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Scope:
    """Which subscriptions are read.

    Attributes:
        subscription_ids: those that were listed, lower case; None for every enabled one that the identity sees.
        management_group: only those below it; None for anywhere.
        include, exclude: patterns (`*`, `?`) of names or ids; of an empty `include`, all are.
        names: every name that there is, as `normalize_name` spells it: a pattern that is one of them means that name.
    """

    subscription_ids: tuple[str, ...] | None
    management_group: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()

    def with_names(self, names: Iterable[str]) -> "Scope":
        """Return the scope with the names that there are."""
        return replace(self, names=frozenset(map(normalize_name, names)))

    def takes(self, subscription_id: str, name: str) -> bool:
        """Tell whether the patterns leave a subscription in."""

        def fits(patterns: tuple[str, ...]) -> bool:
            return any(self._fits(pattern, subscription_id, name) for pattern in patterns)

        return (not self.include or fits(self.include)) and not fits(self.exclude)

    def describe_unmatched(self, names: Mapping[str, str]) -> list[str]:
        """Return a sentence for each pattern that fits nothing, and for those that are not used.

        Args:
            names: the names of all subscriptions that the identity sees, by their ids.
        """
        named, shown = self.with_names(names.values()), list(map(printable, names.values()))
        found = []
        for setting, patterns in (("SECSCORE_INCLUDE", self.include), ("SECSCORE_EXCLUDE", self.exclude)):
            if patterns and self.subscription_ids is not None:
                found.append(explained(f"{setting} has no effect.", "patterns-unused"))
                continue
            found += [
                explained(
                    f"{describe_value(f'{setting}, pattern {number}', pattern, *shown)} fits none of the "
                    f"{len(names)} subscriptions that the identity sees.",
                    "pattern-unmatched",
                )
                for number, pattern in enumerate(patterns, 1)
                if not any(named._fits(pattern, *one) for one in names.items())
            ]
        return found

    def _fits(self, pattern: str, *texts: str) -> bool:
        return any(fits_pattern(text, pattern, self.names) for text in texts)


@dataclass(frozen=True)
class AzureSettings:
    """The checked settings of one connection to Azure; no secret shows in its `repr`.

    Attributes:
        owner_tag: the tag that names a subscription's owner; None: nothing is stored of subscriptions but their ids.
    """

    tenant_id: str
    credential: Credential
    cloud: Cloud
    scope: Scope
    ca_bundle: str | None
    max_connections: int
    event_types: tuple[EventType, ...]
    owner_tag: str | None


def value(name: str, environment: Mapping[str, str] | None = None) -> str:
    """Return a setting as it stands in the environment, else its default, else an empty string."""
    given = (os.environ if environment is None else environment).get(name, "").strip()
    if name in SECRETS:
        register_secrets(given)
    return given or DEFAULTS.get(name, "")


def azure_settings(values: Mapping[str, str]) -> AzureSettings:
    """Check the settings of a connection.

    Args:
        values: by their names in the environment; a missing or empty one takes its default.

    Raises:
        SettingsError: names every setting that is missing or malformed, not only the first.
    """
    given = {setting.name: value(setting.name, values) for setting in SETTINGS}
    problems: list[str] = []
    for name, text in given.items():
        if re.search(r"<[\w -]+>", text) and name not in SECRETS:
            problems.append(explained(f"{name} still holds something in angle brackets.", "placeholder-left"))
        raw = values.get(name, "")
        if _INVISIBLE.search(raw):
            problems.append(explained(f"{name} begins or ends with an invisible character.", "quotes-or-spaces"))
        elif raw and (raw.strip() != raw or (len(raw) > 1 and raw[0] == raw[-1] and raw[0] in "'\"`")):
            problems.append(explained(f"{name} begins or ends with a quote or a blank.", "quotes-or-spaces"))
    if problems:
        raise SettingsError(problems)  # what else is wrong follows from these

    names = tuple(dict.fromkeys(_split(given["SECSCORE_EVENT_TYPES"])))
    problems += [
        explained(
            f"{describe_value('SECSCORE_EVENT_TYPES', name, *EVENT_TYPES)} names something unknown.",
            "event-types-malformed",
        )
        for name in names
        if name not in EVENT_TYPES
    ]
    if not names:
        problems.append(explained("SECSCORE_EVENT_TYPES names nothing.", "event-types-malformed"))
    connections = given["SECSCORE_MAX_CONNECTIONS"]
    if not (_is_number(connections) and 1 <= int(connections) <= 1000):
        problems.append(
            explained(
                f"{describe_value('SECSCORE_MAX_CONNECTIONS', connections)} is no number from 1 to 1000.",
                "number-malformed",
                range="from 1 to 1000",
            )
        )
    if (policy := given["SECSCORE_PARTIAL_FAILURE"]).lower() not in ("warn", "fail"):
        problems.append(
            explained(
                f"{describe_value('SECSCORE_PARTIAL_FAILURE', policy, 'warn', 'fail')} is unknown.",
                "policy-malformed",
                setting="SECSCORE_PARTIAL_FAILURE",
                choices="warn or fail",
            )
        )
    if (entities := given["SECSCORE_ENTITIES"]).lower() not in ("on", "off", "true", "false"):
        problems.append(
            explained(
                f"{describe_value('SECSCORE_ENTITIES', entities, 'on', 'off')} is unknown.",
                "policy-malformed",
                setting="SECSCORE_ENTITIES",
                choices="on or off",
            )
        )
    ca_bundle = given["SECSCORE_CA_BUNDLE"] or None
    if ca_bundle and not Path(ca_bundle).is_file():
        problems.append(
            explained(
                f"SECSCORE_CA_BUNDLE={show_path(Path(ca_bundle))} is no file.",
                "ca-bundle-missing",
                setting="SECSCORE_CA_BUNDLE",
            )
        )
    elif ca_bundle and (why := _problem_of_pem(Path(ca_bundle))):
        what = f"SECSCORE_CA_BUNDLE={show_path(Path(ca_bundle))} {why}."
        problems.append(explained(what, "encoding-unknown"))
    credential = _credential(given, problems)
    scope = _scope(given, problems)
    cloud = _cloud(given, problems)
    if problems or credential is None:
        raise SettingsError(problems)
    return AzureSettings(
        tenant_id=given["AZURE_TENANT_ID"],
        credential=credential,
        cloud=cloud,
        scope=scope,
        ca_bundle=ca_bundle,
        max_connections=int(connections),
        event_types=tuple(EVENT_TYPES[name] for name in names),
        owner_tag=given["SECSCORE_OWNER_TAG"] if entities.lower() in ("on", "true") else None,
    )


def _problem_of_pem(path: Path) -> str | None:
    """Return what makes OpenSSL pass over a certificate of a PEM file in silence; None where nothing does."""
    try:
        encoding = unicode_encoding(path.read_bytes())
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if encoding is None:
        return None
    return "begins with a byte order mark" if encoding == "utf-8-sig" else "is a text in UTF-16 or UTF-32"


def _credential(given: Mapping[str, str], problems: list[str]) -> Credential | None:
    """Return what the identity proves itself with: the first that is set, in the order of the Azure SDKs."""
    tenant_id, client_id = given["AZURE_TENANT_ID"], given["AZURE_CLIENT_ID"]
    wanted = given["AZURE_TOKEN_CREDENTIALS"]
    kinds = {kind.lower(): kind for kind in CREDENTIALS}
    if wanted and wanted.lower() not in kinds:
        what = f"{describe_value('AZURE_TOKEN_CREDENTIALS', wanted, *CREDENTIALS)} is unknown."
        problems.append(explained(what, "credential-unknown"))
        return None
    environment, workload, managed = (wanted.lower() in ("", kind.lower()) for kind in CREDENTIALS)
    is_managed = managed and bool(wanted or any(os.environ.get(name) for name in _MANAGED_BY_PLATFORM))
    secret, certificate = given["AZURE_CLIENT_SECRET"], given["AZURE_CLIENT_CERTIFICATE_PATH"]
    token_file = given["AZURE_FEDERATED_TOKEN_FILE"]

    if not tenant_id:
        problems.append(explained("AZURE_TENANT_ID is not set.", "setting-missing"))
    elif not (GUID.fullmatch(tenant_id) or _DOMAIN.fullmatch(tenant_id)):
        what = f"{describe_value('AZURE_TENANT_ID', tenant_id)} is neither a GUID nor a domain."
        problems.append(explained(what, "tenant-malformed"))
    if client_id and not GUID.fullmatch(client_id):
        problems.append(explained(f"{describe_value('AZURE_CLIENT_ID', client_id)} is no GUID.", "client-malformed"))
    elif client_id and client_id.lower() == tenant_id.lower():
        problems.append(explained("AZURE_TENANT_ID and AZURE_CLIENT_ID are the same id.", "tenant-is-client"))

    credential: Credential | None = None
    if environment and secret:
        if GUID.fullmatch(secret):
            problems.append(explained("AZURE_CLIENT_SECRET is a GUID, as the secret's ID is.", "secret-is-id"))
        credential = ClientSecret(tenant_id, client_id, secret, _day(given["SECSCORE_SECRET_EXPIRES"], problems))
    elif environment and certificate:
        path = expand_path("AZURE_CLIENT_CERTIFICATE_PATH", certificate)
        credential = ClientCertificate(tenant_id, client_id, path, given["AZURE_CLIENT_CERTIFICATE_PASSWORD"])
    elif workload and token_file:
        credential = WorkloadIdentity(tenant_id, client_id, expand_path("AZURE_FEDERATED_TOKEN_FILE", token_file))
    elif is_managed:
        return ManagedIdentity(client_id)
    else:
        problems.append(explained("There is nothing to sign in with.", "credential-missing"))
    if not client_id:
        problems.append(explained("AZURE_CLIENT_ID is not set.", "setting-missing"))
    return credential


_MANAGED_BY_PLATFORM = ("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST")
"""What Azure's platforms set where they give an identity; a virtual machine sets nothing."""


def _scope(given: Mapping[str, str], problems: list[str]) -> Scope:
    listed = tuple(dict.fromkeys(_split(given["AZURE_SUBSCRIPTION_IDS"].lower())))
    problems += [
        explained(
            f"{describe_value(f'AZURE_SUBSCRIPTION_IDS, number {number}', one)} is no GUID.", "subscriptions-malformed"
        )
        for number, one in enumerate(listed, 1)
        if not GUID.fullmatch(one) and listed != ("*",)
    ]
    if not listed:
        problems.append(explained("AZURE_SUBSCRIPTION_IDS names no subscription.", "subscriptions-malformed"))
    return Scope(
        None if listed == ("*",) else listed,
        given["AZURE_MANAGEMENT_GROUP_ID"] or None,
        tuple(_split(given["SECSCORE_INCLUDE"])),
        tuple(_split(given["SECSCORE_EXCLUDE"])),
    )


def _cloud(given: Mapping[str, str], problems: list[str]) -> Cloud:
    known = cloud_named(given["AZURE_CLOUD"])
    if known is None:
        what = f"{describe_value('AZURE_CLOUD', given['AZURE_CLOUD'], *CLOUDS)} is unknown."
        problems.append(explained(what, "cloud-unknown"))
        known = Cloud()
    return Cloud(
        _https("AZURE_AUTHORITY_HOST", given["AZURE_AUTHORITY_HOST"] or known.authority_host, problems),
        _https("SECSCORE_ARM_ENDPOINT", given["SECSCORE_ARM_ENDPOINT"] or known.arm_endpoint, problems),
    )


def _day(given: str, problems: list[str]) -> date | None:
    try:
        return date.fromisoformat(given) if given else None
    except ValueError:
        problems.append(explained(f"{describe_value('SECSCORE_SECRET_EXPIRES', given)} is no date.", "date-malformed"))
        return None


def partial_failure_fails() -> bool:
    """Tell whether a run that could not read every subscription counts as failed (SECSCORE_PARTIAL_FAILURE)."""
    return value("SECSCORE_PARTIAL_FAILURE").lower() == "fail"


def schedules_are_on() -> bool:
    """Tell whether schedules run without being switched on (SECSCORE_SCHEDULES).

    Raises:
        SettingsError: it is neither on nor off.
    """
    given = value("SECSCORE_SCHEDULES")
    if given.lower() not in ("on", "off"):
        what = f"{describe_value('SECSCORE_SCHEDULES', given, 'on', 'off')} is unknown."
        raise SettingsError([explained(what, "policy-malformed", setting="SECSCORE_SCHEDULES", choices="on or off")])
    return given.lower() == "on"


def exported_formats() -> tuple[str, ...]:
    """Return the formats that each run exports (SECSCORE_EXPORTS).

    Raises:
        SettingsError: it names one that there is not.
    """
    given = tuple(dict.fromkeys(_split(value("SECSCORE_EXPORTS").lower())))
    if unknown := [one for one in given if one not in EXPORTS]:
        what = f"{describe_value('SECSCORE_EXPORTS', unknown[0], *EXPORTS)} names something unknown."
        raise SettingsError(
            [explained(what, "policy-malformed", setting="SECSCORE_EXPORTS", choices=f"some of {', '.join(EXPORTS)}")]
        )
    return given


def export_layout() -> tuple[str, str]:
    """Return what the layout of Amazon Security Lake has in its paths: the custom source's name and the region.

    Raises:
        SettingsError: one of them could not be part of a path.
    """
    given = {name: value(name) for name in ("SECSCORE_EXPORT_SOURCE", "SECSCORE_EXPORT_REGION")}
    if wrong := [name for name, text in given.items() if not _PATH_PART.fullmatch(text)]:
        raise SettingsError(
            [explained(f"{describe_value(name, given[name])} is no name.", "export-layout-malformed") for name in wrong]
        )
    source, region = given.values()
    return source, region


def alert_settings() -> dict[str, str]:
    """Return the settings of alerts by their names, checked.

    Raises:
        SettingsError: names each that is malformed; no address is repeated, since it is a secret.
    """
    given = {setting.name: value(setting.name) for setting in SETTINGS if setting.name.startswith("SECSCORE_ALERT_")}
    problems = []
    for name in ("SECSCORE_ALERT_SLACK_URL", "SECSCORE_ALERT_TEAMS", "SECSCORE_ALERT_WEBHOOK"):
        problems += _problems_of_secret_url(name, given[name])
    drop = given["SECSCORE_ALERT_SCORE_DROP"]
    if not re.fullmatch(r"\d+(\.\d+)?", drop):
        what = f"{describe_value('SECSCORE_ALERT_SCORE_DROP', drop)} is no number."
        problems.append(explained(what, "number-malformed", range="of percentage points, such as 2 or 0.5"))
    if problems:
        raise SettingsError(problems)
    return given


class SignalSettings(NamedTuple):
    """Where others see that syncs go on.

    Attributes:
        heartbeat_url: what is called after each complete sync; empty: nothing.
        metrics_file: where metrics are written; None: nowhere.
    """

    heartbeat_url: str
    metrics_file: Path | None


def signal_settings() -> SignalSettings:
    """Return the settings of the heartbeat and the metrics, checked.

    Raises:
        SettingsError: names each that is malformed; the heartbeat's URL is not repeated, since it is a secret.
    """
    url, file = value("SECSCORE_HEARTBEAT_URL"), value("SECSCORE_METRICS_FILE")
    problems = _problems_of_secret_url("SECSCORE_HEARTBEAT_URL", url)
    if file and Path(file).suffix != ".prom":
        shown = show_path(Path(file))
        what = f"SECSCORE_METRICS_FILE={shown} does not end in .prom, and node-exporter would not read it."
        problems.append(explained(what, "metrics-unwritable"))
    if problems:
        raise SettingsError(problems)
    return SignalSettings(url, Path(file).expanduser().absolute() if file else None)


def _problems_of_secret_url(name: str, given: str) -> list[str]:
    """Return what is wrong with a URL that is a secret: https, or http to this machine; empty is right."""
    try:
        parts = urlsplit(given)
        is_here = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
        is_right = (parts.scheme == "https" and parts.hostname) or is_here
        _ = parts.port  # a port that is no number raises
    except ValueError:
        is_right = False
    if not given or is_right:
        return []
    return [explained(f"{name} is no https URL.", "url-malformed", example="https://example.com/hook")]


def batch_size() -> int | None:
    """Return how many subscriptions a run reads at most (SECSCORE_BATCH_SIZE); None for all.

    Raises:
        SettingsError: it is no number.
    """
    given = value("SECSCORE_BATCH_SIZE")
    return _number("SECSCORE_BATCH_SIZE", given, "of subscriptions, or leave it empty") if given else None


def parallel_runs() -> int:
    """Return how many runs write at once (SECSCORE_PARALLEL_RUNS).

    Raises:
        SettingsError: it is no number, or more than one, where a file has one writer.
    """
    runs = _number("SECSCORE_PARALLEL_RUNS", value("SECSCORE_PARALLEL_RUNS"), "of runs")
    if runs > 1 and not lake_settings(value("SECSCORE_DATABASE")):
        raise SettingsError([explained(f"SECSCORE_PARALLEL_RUNS is {runs}.", "runs-in-parallel")])
    return runs


def _number(setting: str, given: str, what: str) -> int:
    if not (_is_number(given) and int(given) > 0):
        unit = what.partition(",")[0]
        raise SettingsError(
            [explained(f"{describe_value(setting, given)} is no number {unit}.", "number-malformed", range=what)]
        )
    return int(given)


def _is_number(text: str) -> bool:
    """Return whether a text is a whole number that can be meant: not of so many digits that nothing has that many."""
    return text.isascii() and text.isdigit() and len(text) < _DIGITS


def kept_days(given: str, setting: str = "SECSCORE_RETENTION_DAYS") -> int | None:
    """Return how many days are kept; None for all of them.

    Raises:
        SettingsError: it is no number of days.
    """
    if not given.strip():
        return None
    return _number(setting, given.strip(), "of days, or leave it empty to keep all")


def kept_published(given: str) -> int:
    """Return how many published files are kept beside the newest (SECSCORE_KEEP_PUBLISHED).

    Raises:
        SettingsError: it is no number.
    """
    name = "SECSCORE_KEEP_PUBLISHED"
    given = given.strip() or DEFAULTS[name]
    return 0 if given == "0" else _number(name, given, "of files, or 0 for none")


def expand_path(setting: str, given: str) -> Path:
    """Return the path that a setting names; `~` and `~user` are home directories.

    Raises:
        SettingsError: there is no such user, or the text is no path.
    """
    try:
        path = Path(given).expanduser()
    except RuntimeError as error:  # Python's word for a user that is not there, or a process without a home
        what = f"{setting} begins with ~, and that home directory is not known."
        raise SettingsError([explained(what, "home-unknown", setting=setting)]) from error
    if "\0" in given or any(len(os.fsencode(part)) > _LONGEST_NAME for part in path.parts):
        what = f"{describe_value(setting, given)} is no path."
        raise SettingsError([explained(what, "folder-unusable", setting=setting)])
    return path


def database_path(given: str, setting: str = "SECSCORE_DATABASE") -> Path:
    """Return the DuckDB file's absolute path; `~` is the home directory.

    Raises:
        SettingsError: it is a directory, or has a name that DuckDB would mistake for a schema's.
    """
    path = expand_path(setting, given or DEFAULTS["SECSCORE_DATABASE"]).absolute()
    problem = None
    if path.stem.lower() in SCHEMAS:
        problem = (
            "has the name of one of its own schemas, and DuckDB takes a file's name for its catalog: "
            f"{path.stem}.… would be ambiguous"
        )
    elif path.is_dir():
        problem = "is a folder"
    if problem:
        what = f"{setting}={show_path(path)} {problem}."
        raise SettingsError([explained(what, "folder-unusable", setting=setting)])
    return path


def work_path(given: str, published: Path) -> Path:
    """Return the absolute path of the DuckDB file that runs write, by default beside the one for readers.

    Raises:
        SettingsError: it cannot be a DuckDB file, or is the one for readers.
    """
    if not given:
        return published.with_name(f"{published.stem}.work{published.suffix}")
    path = database_path(given, "SECSCORE_WORK_DATABASE")
    if path.resolve() == published.resolve():
        what = f"SECSCORE_WORK_DATABASE={show_path(path)} is SECSCORE_DATABASE itself."
        raise SettingsError([explained(what, "work-is-published")])
    return path


class LakeSettings(NamedTuple):
    """Where a lake is.

    Attributes:
        catalog: what DuckLake attaches.
        data_path: where its Parquet files are: a URL, or an absolute folder.
        beside: the path on this machine beside which runs keep what is on its way.
    """

    catalog: str
    data_path: str
    beside: Path


def lake_settings(database: str, data_path: str = "", work_database: str = "") -> LakeSettings | None:
    """Return where a lake is, where SECSCORE_DATABASE names one; None where it names a file.

    Args:
        database: SECSCORE_DATABASE.
        data_path: SECSCORE_DATA_PATH.
        work_database: SECSCORE_WORK_DATABASE.

    Raises:
        SettingsError: it holds a password, or no catalog.
    """
    if not database.startswith(_LAKE):
        return None
    catalog = database.removeprefix(_LAKE)
    if re.search(r"password\s*=|://[^/@?]*:[^@?]*@", unquote(catalog), re.IGNORECASE):
        raise SettingsError([explained("SECSCORE_DATABASE holds a password.", "password-in-setting")])
    if not catalog.partition(":")[2].strip():
        raise SettingsError([explained("SECSCORE_DATABASE names a lake without a catalog.", "catalog-malformed")])
    data = data_path if "://" in data_path else f"{expand_path('SECSCORE_DATA_PATH', data_path).absolute()}/"
    return LakeSettings(catalog, data, database_path(work_database or "data/secscore", "SECSCORE_WORK_DATABASE"))


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _https(name: str, given: str, problems: list[str]) -> str:
    """Return an endpoint without its last slash; note what is wrong with it. A bare host name is taken as https."""
    text = given.rstrip("/")
    url = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(url)
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_right = urlsplit("https:"), False
    example = Cloud().authority_host if name == "AZURE_AUTHORITY_HOST" else Cloud().arm_endpoint
    if parts.scheme != "https" or not parts.hostname or not port_is_right:
        what = f"{name} is no https URL: a token is never sent in clear."
        problems.append(explained(what, "url-malformed", example=example))
    elif not (_DOMAIN.fullmatch(parts.hostname) or parts.hostname == "localhost" or _is_address(parts.hostname)):
        problems.append(explained(f"{name} names no host.", "url-malformed", example=example))
    elif parts.username is not None or parts.query or parts.fragment:
        problems.append(explained(f"{name} holds more than a host and a path.", "url-malformed", example=example))
    return url


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
