"""Every setting, declared once: parsing, checks, `.env.example`, the documents and the launchpad all come from here."""

import re
from collections.abc import Mapping
from typing import Any

from secscore_pipeline.azure.clouds import CLOUDS, Cloud
from secscore_pipeline.azure.event_types import ASSESSMENTS, SECURE_SCORE_CONTROLS, SECURE_SCORES
from secscore_pipeline.config import kinds
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.setting import Group, Setting
from secscore_pipeline.errors import explain

EXPORTS = ("jsonl", "parquet", "security-lake", "csv", "xlsx")
"""The formats of exports."""

EVENT_TYPES = {event_type.name: event_type for event_type in (SECURE_SCORES, SECURE_SCORE_CONTROLS, ASSESSMENTS)}
"""What SECSCORE_EVENT_TYPES may name; the metadata of recommendations is read with the assessments."""

CREDENTIALS = ("EnvironmentCredential", "WorkloadIdentityCredential", "ManagedIdentityCredential")
"""What AZURE_TOKEN_CREDENTIALS may name, in the order in which they are tried, as the Azure SDKs do."""

_INVISIBLE = re.compile(r"^[\ufeff\u200b-\u200f\u2060]|[\ufeff\u200b-\u200f\u2060]$")
"""A byte order mark, or another character without a width, around a value."""

AZURE_TENANT_ID = Setting(
    "AZURE_TENANT_ID", Group.CONNECTION, kinds.tenant(), "The Entra tenant to sign in to.", default=None
)
AZURE_CLIENT_ID = Setting(
    "AZURE_CLIENT_ID",
    Group.CONNECTION,
    kinds.guid("client-malformed"),
    "Application (client) ID of the app registration. For a managed identity: that of a user-assigned one; empty uses "
    "the system-assigned one.",
)
AZURE_CLIENT_SECRET = Setting(
    "AZURE_CLIENT_SECRET",
    Group.CONNECTION,
    kinds.text_of("the secret's value, not its ID"),
    "Client secret of the app registration.",
    is_secret=True,
)
AZURE_CLIENT_CERTIFICATE_PATH = Setting(
    "AZURE_CLIENT_CERTIFICATE_PATH",
    Group.CONNECTION,
    kinds.empty_or(kinds.path_of("the path of a PEM or PFX file")),
    "Certificate with its private key, instead of a client secret.",
)
AZURE_CLIENT_CERTIFICATE_PASSWORD = Setting(
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    Group.CONNECTION,
    kinds.text_of("any text"),
    "Password of the certificate's private key. Empty: the key is not encrypted.",
    is_secret=True,
)
AZURE_FEDERATED_TOKEN_FILE = Setting(
    "AZURE_FEDERATED_TOKEN_FILE",
    Group.CONNECTION,
    kinds.empty_or(kinds.path_of("the path of a file")),
    "Token of a platform that the application trusts (workload identity), instead of a client secret.",
)
AZURE_TOKEN_CREDENTIALS = Setting(
    "AZURE_TOKEN_CREDENTIALS",
    Group.CONNECTION,
    kinds.choice(*CREDENTIALS, failure="credential-unknown"),
    "Credential to use where several are set; EnvironmentCredential is a secret or certificate. Empty uses the first "
    "one that is set, in that order.",
)
AZURE_CLOUD = Setting(
    "AZURE_CLOUD",
    Group.CONNECTION,
    kinds.choice_by_name(CLOUDS, "cloud-unknown"),
    "The Azure cloud.",
    default="AzureCloud",
)
AZURE_AUTHORITY_HOST = Setting(
    "AZURE_AUTHORITY_HOST",
    Group.CONNECTION,
    kinds.endpoint(Cloud().authority_host),
    "Host to sign in at. Empty uses that of the cloud.",
)
SECSCORE_ARM_ENDPOINT = Setting(
    "SECSCORE_ARM_ENDPOINT",
    Group.CONNECTION,
    kinds.endpoint(Cloud().arm_endpoint),
    "Endpoint of Azure Resource Manager. Empty uses that of the cloud.",
)
SECSCORE_CA_BUNDLE = Setting(
    "SECSCORE_CA_BUNDLE",
    Group.CONNECTION,
    kinds.empty_or(kinds.ca_bundle()),
    "Certificates of a private CA to trust for both hosts. Empty trusts the usual public CAs.",
)
SECSCORE_SECRET_EXPIRES = Setting(
    "SECSCORE_SECRET_EXPIRES",
    Group.CONNECTION,
    kinds.empty_or(kinds.day()),
    "Day on which the client secret expires; a check warns 30 days before it. Empty: no warning.",
)
SECSCORE_MAX_CONNECTIONS = Setting(
    "SECSCORE_MAX_CONNECTIONS",
    Group.CONNECTION,
    kinds.whole_number("from 1 to 1000", most=1000),
    "Most concurrent requests to Azure. A sync begins with an eighth, 32 at most, and finds out how many are best.",
    default="256",
    launchpad_field="max_connections",
)
SECSCORE_FEEDS = Setting(
    "SECSCORE_FEEDS",
    Group.CONNECTION,
    kinds.path_of("the path of a YAML file"),
    "File with several connections to read into one database (docs/connect.md). Without that file, these settings are "
    "the only connection.",
    default="feeds.yaml",
)
AZURE_SUBSCRIPTION_IDS = Setting(
    "AZURE_SUBSCRIPTION_IDS",
    Group.SCOPE,
    kinds.subscriptions(),
    "Subscriptions to read. * reads every enabled one that the identity sees.",
    default="*",
    launchpad_field="subscription_ids",
)
AZURE_MANAGEMENT_GROUP_ID = Setting(
    "AZURE_MANAGEMENT_GROUP_ID",
    Group.SCOPE,
    kinds.text_of("the ID of a management group"),
    "With *: read only the subscriptions below this management group. Empty reads those of the whole tenant.",
    launchpad_field="management_group_id",
)
SECSCORE_INCLUDE = Setting(
    "SECSCORE_INCLUDE",
    Group.SCOPE,
    kinds.list_of("patterns separated by commas, such as prod-* or [PROD]*; * is any characters, ? is one"),
    "With *: read only the subscriptions whose name or ID matches one of these patterns. Empty reads all.",
    launchpad_field="include",
)
SECSCORE_EXCLUDE = Setting(
    "SECSCORE_EXCLUDE",
    Group.SCOPE,
    kinds.list_of("patterns separated by commas"),
    "With *: skip the subscriptions whose name or ID matches one of these patterns. Empty skips none.",
    launchpad_field="exclude",
)
SECSCORE_EVENT_TYPES = Setting(
    "SECSCORE_EVENT_TYPES",
    Group.SCOPE,
    kinds.some_of(tuple(EVENT_TYPES), "event-types-malformed"),
    "Event types to read. The default reads scores and controls. assessments adds single recommendations: a record for "
    "each recommendation and resource, many more than the others.",
    default=f"{SECURE_SCORES.name},{SECURE_SCORE_CONTROLS.name}",
    launchpad_field="event_types",
)
SECSCORE_ENTITIES = Setting(
    "SECSCORE_ENTITIES",
    Group.SCOPE,
    kinds.on_or_off(),
    "Whether to store the names, management groups and owners of subscriptions. With off, only their IDs are stored.",
    default="on",
)
SECSCORE_OWNER_TAG = Setting(
    "SECSCORE_OWNER_TAG",
    Group.SCOPE,
    kinds.text_of("the name of a tag"),
    "Tag of a subscription that holds its owner.",
    default="owner",
)
SECSCORE_DATABASE = Setting(
    "SECSCORE_DATABASE",
    Group.STORAGE,
    kinds.text_of("the path of a DuckDB file, or ducklake:postgres:host=… dbname=…"),
    "Database for readers. A file is never locked and is replaced after each run that stored something; a lake can be "
    "written by several machines (docs/scale.md).",
    default="data/secscore.duckdb",
)
SECSCORE_WORK_DATABASE = Setting(
    "SECSCORE_WORK_DATABASE",
    Group.STORAGE,
    kinds.text_of("the path of a DuckDB file"),
    "Database that runs write. Empty: next to SECSCORE_DATABASE, with .work in its name. With a lake: local path next "
    "to which runs keep temporary files.",
)
SECSCORE_DATA_PATH = Setting(
    "SECSCORE_DATA_PATH",
    Group.STORAGE,
    kinds.text_of("a folder or a URL (s3://bucket/x)"),
    "With a lake: where its Parquet files are, the same for every machine.",
    default="data/lake",
)
SECSCORE_KEEP_PUBLISHED = Setting(
    "SECSCORE_KEEP_PUBLISHED",
    Group.STORAGE,
    kinds.whole_number("of files, or 0 for none", least=0),
    "Number of previous versions of SECSCORE_DATABASE to keep next to it, named .previous-1 and so on. A lake has "
    "snapshots instead.",
    default="3",
)
SECSCORE_RETENTION_DAYS = Setting(
    "SECSCORE_RETENTION_DAYS",
    Group.STORAGE,
    kinds.empty_or(kinds.whole_number("of days, 1 or more; empty keeps everything")),
    "Age in days at which `secscore maintain` and the job maintain delete fetches.",
)
SECSCORE_SCHEDULE = Setting(
    "SECSCORE_SCHEDULE", Group.SCHEDULE, kinds.cron(), "When to run the sync.", default="0 5 * * *"
)
SECSCORE_TIMEZONE = Setting(
    "SECSCORE_TIMEZONE",
    Group.SCHEDULE,
    kinds.time_zone(),
    "Time zone of SECSCORE_SCHEDULE and SECSCORE_BRIEFING.",
    default="UTC",
)
SECSCORE_SCHEDULES = Setting(
    "SECSCORE_SCHEDULES",
    Group.SCHEDULE,
    kinds.on_or_off(),
    "Whether schedules and sensors start switched on. With off, switch them on in Dagster's UI.",
    default="off",
)
SECSCORE_PARTIAL_FAILURE = Setting(
    "SECSCORE_PARTIAL_FAILURE",
    Group.SCHEDULE,
    kinds.choice("warn", "fail"),
    "How to treat a run that could not read some subscriptions, in every feed. What was read is stored either way.",
    default="warn",
)
SECSCORE_BATCH_SIZE = Setting(
    "SECSCORE_BATCH_SIZE",
    Group.SCHEDULE,
    kinds.empty_or(kinds.whole_number("of subscriptions, 1 or more; empty reads all in one run")),
    "Approximate maximum of subscriptions that one run reads; with more there are several runs.",
)
SECSCORE_PARALLEL_RUNS = Setting(
    "SECSCORE_PARALLEL_RUNS",
    Group.SCHEDULE,
    kinds.whole_number("of runs, 1 or more"),
    "Number of runs that may write at the same time. More than 1 requires a lake for SECSCORE_DATABASE.",
    default="1",
)
SECSCORE_ALERT_SLACK_TOKEN = Setting(
    "SECSCORE_ALERT_SLACK_TOKEN",
    Group.ALERTS,
    kinds.text_of("a bot token with the scope chat:write"),
    "Send alerts to Slack with this token. Empty: not to Slack.",
    is_secret=True,
)
SECSCORE_ALERT_SLACK_CHANNEL = Setting(
    "SECSCORE_ALERT_SLACK_CHANNEL",
    Group.ALERTS,
    kinds.text_of("a channel"),
    "Slack channel to send alerts to.",
    default="#alerts",
)
SECSCORE_ALERT_SLACK_URL = Setting(
    "SECSCORE_ALERT_SLACK_URL",
    Group.ALERTS,
    kinds.receiver_url(),
    "URL of Slack's API; GovSlack has its own.",
    default="https://slack.com/api/",
)
SECSCORE_ALERT_TEAMS = Setting(
    "SECSCORE_ALERT_TEAMS",
    Group.ALERTS,
    kinds.receiver_url(),
    "Send alerts to this Teams workflow or webhook. Empty: not to Teams.",
    is_secret=True,
)
SECSCORE_ALERT_WEBHOOK = Setting(
    "SECSCORE_ALERT_WEBHOOK",
    Group.ALERTS,
    kinds.receiver_url(),
    "Send alerts to this receiver as JSON. Empty: no such receiver.",
    is_secret=True,
)
SECSCORE_ALERT_WEBHOOK_SECRET = Setting(
    "SECSCORE_ALERT_WEBHOOK_SECRET",
    Group.ALERTS,
    kinds.text_of("any text"),
    "Key to sign the alerts for SECSCORE_ALERT_WEBHOOK with (HMAC-SHA256). Empty: they are not signed.",
    is_secret=True,
)
SECSCORE_ALERT_SCORE_DROP = Setting(
    "SECSCORE_ALERT_SCORE_DROP",
    Group.ALERTS,
    kinds.decimal_number("of percentage points, such as 2 or 0.5"),
    "Drop of a score from which an alert is sent.",
    default="2",
)
SECSCORE_ALERT_NEW_FINDINGS = Setting(
    "SECSCORE_ALERT_NEW_FINDINGS",
    Group.ALERTS,
    kinds.off_or(kinds.whole_number("of resources, 1 or more")),
    "Number of resources that a sync finds newly unhealthy, in recommendations of high or critical severity, from "
    "which an alert is sent. It needs assessments in SECSCORE_EVENT_TYPES.",
    default="1",
)
SECSCORE_ALERT_OVERDUE_DAYS = Setting(
    "SECSCORE_ALERT_OVERDUE_DAYS",
    Group.ALERTS,
    kinds.empty_or(kinds.whole_number("of days, 1 or more")),
    "Age in days from which an alert is sent of a resource that is still unhealthy, in recommendations of high or "
    "critical severity. Empty: no such alert.",
)
SECSCORE_BRIEFING = Setting(
    "SECSCORE_BRIEFING",
    Group.ALERTS,
    kinds.cron(can_be_off=True),
    "When to send the briefing. The default is Mondays at 8.",
    default="0 8 * * 1",
)
SECSCORE_HEARTBEAT_URL = Setting(
    "SECSCORE_HEARTBEAT_URL",
    Group.ALERTS,
    kinds.receiver_url(),
    "URL to call (GET) after each complete sync, such as one of healthchecks.io; {feed} in it is replaced by the "
    "feed's name. Empty calls none.",
    is_secret=True,
)
SECSCORE_METRICS_FILE = Setting(
    "SECSCORE_METRICS_FILE",
    Group.ALERTS,
    kinds.empty_or(kinds.metrics_file()),
    "File to write Prometheus metrics to after each run, in the folder of node-exporter's textfile collector. Every "
    "user of the machine can read it. Empty writes none.",
)
SECSCORE_REPORT = Setting(
    "SECSCORE_REPORT",
    Group.EXPORTS,
    kinds.text_of("a path"),
    "HTML file of the report.",
    default="data/report.html",
)
SECSCORE_EXPORTS = Setting(
    "SECSCORE_EXPORTS",
    Group.EXPORTS,
    kinds.some_of(EXPORTS, "policy-malformed", may_be_empty=True),
    "Formats that each run exports. Empty exports nothing.",
)
SECSCORE_EXPORT_URL = Setting(
    "SECSCORE_EXPORT_URL",
    Group.EXPORTS,
    kinds.text_of("a folder, or a URL that fsspec knows (s3://bucket/x)"),
    "Where to export to.",
    default="data/exports",
)
SECSCORE_EXPORT_SOURCE = Setting(
    "SECSCORE_EXPORT_SOURCE",
    Group.EXPORTS,
    kinds.path_part(),
    "Name of the custom source in the Security Lake layout.",
    default="AzureSecureScore",
)
SECSCORE_EXPORT_REGION = Setting(
    "SECSCORE_EXPORT_REGION",
    Group.EXPORTS,
    kinds.path_part(),
    "Region in the Security Lake layout.",
    default="local",
)
SECSCORE_UI_HOSTS = Setting(
    "SECSCORE_UI_HOSTS",
    Group.SERVICE,
    kinds.hosts(),
    "Hosts at which Dagster's UI answers besides loopback, such as that of a reverse proxy. Empty uses the host of "
    "SECSCORE_DAGSTER_URL.",
)
SECSCORE_DAGSTER_URL = Setting(
    "SECSCORE_DAGSTER_URL",
    Group.SERVICE,
    kinds.web_url(),
    "URL of Dagster's UI, for links in alerts.",
    default="http://127.0.0.1:3000",
)
SECSCORE_RUN_RETENTION_DAYS = Setting(
    "SECSCORE_RUN_RETENTION_DAYS",
    Group.SERVICE,
    kinds.empty_or(kinds.whole_number("of days, 1 or more; empty keeps everything")),
    "Age in days at which Dagster's records of runs are deleted. The database is not affected.",
)

SETTINGS: tuple[Setting[Any], ...] = tuple(one for one in globals().copy().values() if isinstance(one, Setting))
"""All of them, in the order in which they are declared."""

BY_NAME = {setting.name: setting for setting in SETTINGS}
DEFAULTS = {setting.name: setting.default for setting in SETTINGS if setting.default is not None}
REQUIRED = tuple(setting.name for setting in SETTINGS if setting.default is None)

SECRETS = tuple(setting.name for setting in SETTINGS if setting.is_secret)
"""The settings that never stand anywhere but in the environment."""

CONNECTION_SETTINGS = tuple(
    setting.name
    for setting in SETTINGS
    if setting.group in (Group.CONNECTION, Group.SCOPE) and setting is not SECSCORE_FEEDS
)
"""The settings that a connection is made of."""


def refuse_misquoted(environment: Mapping[str, str]) -> None:
    """Raise where settings hold a placeholder, or quotes, blanks or invisible characters around their value.

    Raises:
        SettingsError: names each of them.
    """
    problems: list[str] = []
    for setting in SETTINGS:
        name, raw = setting.name, environment.get(setting.name, "")
        if re.search(r"<[\w -]+>", raw) and not setting.is_secret:
            problems.append(explain(f"{name} still holds something in angle brackets.", "placeholder-left"))
        if _INVISIBLE.search(raw):
            problems.append(explain(f"{name} begins or ends with an invisible character.", "quotes-or-spaces"))
        elif raw and (raw.strip() != raw or (len(raw) > 1 and raw[0] == raw[-1] and raw[0] in "'\"`")):
            problems.append(explain(f"{name} begins or ends with a quote or a blank.", "quotes-or-spaces"))
    if problems:
        raise SettingsError(problems)
