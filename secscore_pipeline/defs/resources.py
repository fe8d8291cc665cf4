"""Dagster's resources: the connection to Azure, which holds the credentials, and the warehouse."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import duckdb
from dagster_duckdb import DuckDBResource
from pydantic import Field

from secscore_pipeline.azure.arm import ArmClient
from secscore_pipeline.azure.clouds import Cloud
from secscore_pipeline.azure.credentials import Credential, MsalTokenSource
from secscore_pipeline.azure.subscriptions import Directory
from secscore_pipeline.config.feeds import DEFAULT_NAME, Feed
from secscore_pipeline.config.settings import (
    SECRETS,
    SETTINGS,
    AzureSettings,
    SettingsError,
    azure_settings,
    batch_size,
    database_path,
    kept_published,
    lake_settings,
    value,
    work_path,
)
from secscore_pipeline.error_catalogue import explained
from secscore_pipeline.ingest.batches import Batch
from secscore_pipeline.ingest.scope import ResolvedScope, refuse_empty, resolve_scope
from secscore_pipeline.system.files import follow_link
from secscore_pipeline.warehouse import connection, publishing, store
from secscore_pipeline.warehouse.lake import Lake
from secscore_pipeline.warehouse.publishing import Publication
from secscore_pipeline.warehouse.retention import cutoff_of, newest_fetch
from secscore_pipeline.warehouse.store import ConnectionTenant

READING = timedelta(days=2)
"""How long a reader of a lake may go on with files that no longer belong to it."""

TIME_TRAVEL = timedelta(days=30)
"""For how long a lake can be shown as it was."""

SHARED = (
    "SECSCORE_CA_BUNDLE",
    "SECSCORE_MAX_CONNECTIONS",
    "SECSCORE_ENTITIES",
    "SECSCORE_OWNER_TAG",
    "SECSCORE_PARTIAL_FAILURE",
)
"""The settings of the environment that hold for every feed which does not say otherwise."""

LAUNCHPAD_FIELDS = (
    "subscription_ids",
    "management_group_id",
    "include",
    "exclude",
    "event_types",
    "max_connections",
)
"""The fields of a connection that a run's configuration may set: what is read and how, never where a secret goes."""

SCOPE_FIELDS = frozenset({"subscription_ids", "management_group_id", "include", "exclude"})
"""Those of them that say which subscriptions are read: a run with its own tells nothing of the scope of its feed."""

_MEANINGS = {setting.name: setting.meaning for setting in SETTINGS}


def _as_set(name: str) -> Any:
    """Make a field of a connection for a setting."""
    return Field(default="", description=_MEANINGS[name], json_schema_extra={"setting": name})


class AzureConnection(dg.ConfigurableResource[Any]):
    """One connection to Azure: who signs in, where, and which subscriptions are read.

    Each field is a setting, and holds what the setting of that name may hold. A secret is always a reference to an
    environment variable (`EnvVar`). Dagster gets a connection as `connection_resource` wraps it: a run's configuration
    reaches the fields of LAUNCHPAD_FIELDS only. Everything is checked when a client is asked for.
    """

    feed: str = Field(default=DEFAULT_NAME, description="What this connection is called in the tables.")
    other_feeds: list[str] = Field(default=[], description="What the connections beside it are called.")
    unset: list[str] = Field(default=[], description="The environment variables that should hold its secrets.")
    has_own_scope: bool = Field(default=False, description="Whether a run has a scope of its own, beside its feed's.")
    tenant_id: str = _as_set("AZURE_TENANT_ID")
    client_id: str = _as_set("AZURE_CLIENT_ID")
    client_secret: str = _as_set("AZURE_CLIENT_SECRET")
    certificate_path: str = _as_set("AZURE_CLIENT_CERTIFICATE_PATH")
    certificate_password: str = _as_set("AZURE_CLIENT_CERTIFICATE_PASSWORD")
    federated_token_file: str = _as_set("AZURE_FEDERATED_TOKEN_FILE")
    token_credentials: str = _as_set("AZURE_TOKEN_CREDENTIALS")
    subscription_ids: str = _as_set("AZURE_SUBSCRIPTION_IDS")
    management_group_id: str = _as_set("AZURE_MANAGEMENT_GROUP_ID")
    include: str = _as_set("SECSCORE_INCLUDE")
    exclude: str = _as_set("SECSCORE_EXCLUDE")
    entities: str = _as_set("SECSCORE_ENTITIES")
    owner_tag: str = _as_set("SECSCORE_OWNER_TAG")
    cloud_name: str = _as_set("AZURE_CLOUD")
    authority_host: str = _as_set("AZURE_AUTHORITY_HOST")
    arm_endpoint: str = _as_set("SECSCORE_ARM_ENDPOINT")
    ca_bundle: str = _as_set("SECSCORE_CA_BUNDLE")
    secret_expires: str = _as_set("SECSCORE_SECRET_EXPIRES")
    max_connections: str = _as_set("SECSCORE_MAX_CONNECTIONS")
    event_types: str = _as_set("SECSCORE_EVENT_TYPES")
    partial_failure: str = _as_set("SECSCORE_PARTIAL_FAILURE")

    @classmethod
    def from_environment(cls) -> "AzureConnection":
        """Make the connection that the environment's settings describe; secrets stay references."""
        held: dict[str, Any] = {
            field: dg.EnvVar(name) if name in SECRETS and os.environ.get(name) else value(name)
            for field, name in cls._names().items()
        }
        return cls(**held)

    @classmethod
    def of(cls, feed: Feed) -> "AzureConnection":
        """Make the connection of a feed; secrets stay references.

        What feeds.yaml has no word for, such as how many requests to keep under way, is the environment's.
        """
        if feed.settings is None:
            return cls.from_environment()
        unset = sorted(name for name in feed.secrets.values() if not os.environ.get(name))
        held: dict[str, Any] = {"feed": feed.name, "other_feeds": list(feed.others), "unset": unset}
        for known, name in cls._names().items():
            if name in feed.secrets:
                if os.environ.get(feed.secrets[name]):
                    held[known] = dg.EnvVar(feed.secrets[name])
            elif name in feed.settings:
                held[known] = feed.settings[name]
            elif name in SHARED:
                held[known] = value(name)
        return cls(**held)

    @classmethod
    def _names(cls) -> dict[str, str]:
        """Return the setting of each field."""
        return {
            field: str(info.json_schema_extra["setting"])
            for field, info in cls.model_fields.items()
            if isinstance(info.json_schema_extra, dict)
        }

    def settings(self) -> AzureSettings:
        """Return the checked settings.

        Raises:
            SettingsError: names every setting that is missing or malformed.
        """
        if self.unset:
            raise SettingsError(
                [
                    explained(f"{name}, which the feed {self.feed} needs, is not set.", "secret-unset")
                    for name in self.unset
                ]
            )
        return azure_settings({name: getattr(self, field) for field, name in self._names().items()})

    def cloud(self) -> Cloud:
        """Return where this connection's Azure lives."""
        return self.settings().cloud

    def client(self) -> ArmClient:
        """Return the client, one for a run's assets, so that its token and connections are shared.

        Dagster makes a resource anew for every step; the process keeps the newest client.
        """
        settings = self.settings()
        wanted = (settings.credential, settings.cloud, settings.ca_bundle, settings.max_connections)
        if _client(*wanted).is_stopped:
            _client.cache_clear()
        return _client(*wanted)

    def describe_unmatched_patterns(self, directory: Directory) -> list[str]:
        """Return a sentence for each pattern of the scope that fits no subscription, or is not used.

        Args:
            directory: what Azure lists; not asked where no pattern is set.

        Raises:
            AzureError: the subscriptions could not be listed.
        """
        scope = self.settings().scope
        if not (scope.include or scope.exclude):
            return []
        names = {} if scope.subscription_ids is not None else directory.names
        return scope.describe_unmatched(names)

    def tenant(self) -> ConnectionTenant:
        """Return the connection's own tenant, by its GUID as soon as it has signed in, and by its name in the settings.

        The settings may name a tenant by a domain, or in capitals: what is stored is the GUID of the token.
        """
        name = self.settings().tenant_id.lower()
        return ConnectionTenant(self.client().tenant_id or name, name)

    def directory(self, snapshot_id: str | None = None) -> Directory:
        """Return the subscriptions that the identity sees: one list for all assets of a run, where that is named."""
        return _directory(self.client(), snapshot_id) if snapshot_id else Directory(self.client())

    def subscriptions(self, directory: Directory) -> tuple[str, ...]:
        """Return the ids of the subscriptions to read: those listed, or those discovered that the patterns leave in.

        Args:
            directory: what Azure lists; not asked where the settings list them.

        Raises:
            AzureError: they could not be listed, or there are none.
        """
        scope = self.settings().scope
        if scope.subscription_ids is not None:
            return scope.subscription_ids
        return refuse_empty(resolve_scope(scope, directory, asks_for_states=False))

    def resolve_scope(self, directory: Directory) -> ResolvedScope:
        """Return which subscriptions are to be read now, and why those that Azure lists beside them are not.

        Args:
            directory: what Azure lists; where the settings name the subscriptions, asked only if entities are on.

        Raises:
            AzureError: they could not be listed, or none is listed.
        """
        settings = self.settings()
        return resolve_scope(settings.scope, directory, asks_for_states=settings.owner_tag is not None)


def connection_resource(feed: Feed) -> dg.ResourceDefinition:
    """Return the Dagster resource that makes the connection of a feed.

    Its configuration is plain values: Dagster refuses `{env: NAME}` in them, which would put a variable's value,
    whatever it is, into a run's log.

    Args:
        feed: whose connection it is; its settings are the defaults.
    """
    connection = AzureConnection.of(feed)

    def connect(context: dg.InitResourceContext) -> AzureConnection:
        chosen: dict[str, Any] = context.resource_config
        has_own_scope = any(chosen[name] != getattr(connection, name) for name in SCOPE_FIELDS)
        update = {**chosen, "has_own_scope": has_own_scope}
        made: AzureConnection = connection.model_copy(update=update).process_config_and_initialize()
        return made

    fields = AzureConnection.model_fields
    schema = {
        name: dg.Field(str, default_value=getattr(connection, name), description=fields[name].description)
        for name in LAUNCHPAD_FIELDS
    }
    return dg.ResourceDefinition(connect, schema, "Connection to Azure. The environment says where, and as whom.")


def warehouse_resource() -> dg.ResourceDefinition:
    """Return the Dagster resource of the warehouse; a run's configuration cannot point it at other files.

    Raises:
        SettingsError: see `Warehouse.from_environment`.
    """
    warehouse = Warehouse.from_environment()
    return dg.ResourceDefinition(lambda _: warehouse, {}, "The DuckDB files or the lake of SECSCORE_DATABASE.")


def io_manager_resource() -> dg.IOManagerDefinition:
    """Return the I/O manager of jobs, which keeps values in memory; assets here hand on none.

    Dagster's own writes into any folder that a run's configuration names.
    """
    return dg.IOManagerDefinition(dg.mem_io_manager.resource_fn, {})


@lru_cache(maxsize=1)
def _client(credential: Credential, cloud: Cloud, ca_bundle: str | None, max_connections: int) -> ArmClient:
    return ArmClient(cloud, MsalTokenSource(credential, cloud, ca_bundle), ca_bundle, max_connections)


@lru_cache(maxsize=1)
def _directory(client: ArmClient, snapshot_id: str) -> Directory:  # noqa: ARG001 - whose it is: another run asks anew
    return Directory(client)


def batch_of(context: dg.AssetExecutionContext) -> Batch | None:
    """Return the batch that a run reads; None where it reads all of its feed."""
    return Batch.of(context.partition_key) if context.has_partition_key and batch_size() else None


def connection_of(context: dg.AssetExecutionContext) -> AzureConnection:
    """Return the connection that a run reads: that of the feed which its partition names, or the only one."""
    batch = batch_of(context)
    feed = batch.feed if batch else context.partition_key if context.has_partition_key else DEFAULT_NAME
    resources: Any = context.resources
    found: AzureConnection = getattr(resources, f"azure_{feed}", None) or resources.azure
    return found


class Maintenance(NamedTuple):
    """What came of keeping the store small.

    Attributes:
        before, after: how many bytes there were of what runs have written, and how many there are.
        cutoff: what was observed before this moment (UTC) is deleted; None where all is kept.
        warnings: a sentence for each thing that somebody should know.
    """

    before: int
    after: int
    cutoff: datetime | None = None
    warnings: tuple[str, ...] = ()


class Warehouse(DuckDBResource):
    """The store: two DuckDB files, the one that runs write and the one published for readers; or a lake for both.

    `DuckDBResource`, but always closed, owner-only, migrated, and clear when it cannot be used. Its `database` is the
    path of the published file, where `~` is the home directory, or `ducklake:` and a catalog.
    """

    work_database: str = Field(default="", description=_MEANINGS["SECSCORE_WORK_DATABASE"])
    data_path: str = Field(default="", description=_MEANINGS["SECSCORE_DATA_PATH"])
    keep_published: str = Field(default="", description=_MEANINGS["SECSCORE_KEEP_PUBLISHED"])

    @classmethod
    def from_environment(cls) -> "Warehouse":
        """Make the warehouse that SECSCORE_DATABASE and the settings beside it name.

        Raises:
            SettingsError: they name a lake, but not rightly, or with a password, which Dagster would show.
        """
        lake_settings(value("SECSCORE_DATABASE"), value("SECSCORE_DATA_PATH"), value("SECSCORE_WORK_DATABASE"))
        return cls(
            database=value("SECSCORE_DATABASE"),
            work_database=value("SECSCORE_WORK_DATABASE"),
            data_path=value("SECSCORE_DATA_PATH"),
            keep_published=value("SECSCORE_KEEP_PUBLISHED"),
        )

    @property
    def lake(self) -> Lake | None:
        """The lake; None where the store is files."""
        given = lake_settings(self.database, self.data_path, self.work_database)
        return Lake(*given) if given else None

    @property
    def path(self) -> Path:
        """The path of the file that runs write; with a lake, that beside which they keep what is on its way."""
        if self.lake:
            return self.lake.beside
        return follow_link(work_path(self.work_database, database_path(self.database)))

    @property
    def published_path(self) -> Path:
        """The path of the file for readers; with a lake, that beside which is noted what people were told."""
        return self.lake.beside if self.lake else follow_link(database_path(self.database))

    @property
    def shown(self) -> str:
        """What readers open, as it may be shown."""
        return self.lake.shown if self.lake else str(self.published_path)

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the store for writing, made and migrated when needed; a new file begins as what is published."""
        if self.lake:
            with self.lake.writing() as opened:
                yield opened
            return
        publishing.begin_with(self.path, self.published_path)
        with connection.writing(self.path) as opened:
            yield opened

    @contextmanager
    def get_reader(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open what runs write for reading only: what a run has just stored."""
        with self.lake.reading() if self.lake else connection.reading(self.path) as opened:
            yield opened

    @contextmanager
    def get_published(
        self, at: datetime | None = None, reachable: Iterable[Path] = ()
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open what is there for readers: what the newest run published. Its SQL reaches no other file.

        Args:
            at: with a lake, as it was at this moment (UTC).
            reachable: the files and folders that SQL may reach all the same.
        """
        lake = self.lake
        with (
            lake.reading_restricted(at, reachable)
            if lake
            else connection.reading(self.published_path, reachable=reachable)
        ) as opened:
            yield opened

    def refuse_absent(self) -> None:
        """Raise where there is no database yet: better known before anything is made for what would be read.

        Raises:
            WarehouseError: says so, or why it cannot be opened.
        """
        with self.get_published():
            return

    def refuse_behind(self) -> None:
        """Raise where what runs write lacks what readers have: better known before something is read than after."""
        if not self.lake:
            publishing.refuse_behind(self.path, self.published_path)

    def publish(self) -> Publication:
        """Put what is stored there for readers, as a whole, where it is not already.

        Raises:
            SettingsError, WarehouseError: it was not; the published file stays as it was.
        """
        if self.lake:
            return Publication(self.lake.size())
        return publishing.publish(self.path, self.published_path, kept_published(self.keep_published))

    def size(self) -> int:
        """Return how many bytes there are of what runs have written."""
        return self.lake.size() if self.lake else self.path.stat().st_size

    def published_size(self) -> int:
        """Return how many bytes there are for readers."""
        return self.lake.size() if self.lake else self.published_path.stat().st_size

    def maintain(self, now: datetime, days: int | None = None) -> Maintenance:
        """Keep the store small, and publish it; a lake can be shown as it was for TIME_TRAVEL yet.

        Args:
            now: the time, UTC.
            days: looks that were observed so many days before the newest one are let go of; None keeps all of them.

        Raises:
            WarehouseError: there is no store yet; the clock contradicts the newest look, or the store cannot be
                written; nothing was deleted.
        """
        if self.lake or not (connection.holds_something(self.path) or connection.holds_something(self.published_path)):
            self.refuse_absent()
        with self.get_connection() as opened:
            before = self.size()
            cutoff = cutoff_of(opened, days, now) if days is not None else None
            if cutoff:
                store.retain(opened, cutoff)
            then = min(now, newest_fetch(opened) or now)  # by a clock that is ahead, all of a lake's past would be old
        if self.lake:
            self.lake.compact(then - TIME_TRAVEL, then - READING)
            return Maintenance(before, self.size(), cutoff)
        store.compact(self.path)
        return Maintenance(before, self.size(), cutoff, self.publish().warnings)
