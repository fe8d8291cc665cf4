"""Dagster's resources: the connection to Azure, which holds the credentials, and the warehouse."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import dagster as dg
import duckdb
from dagster_duckdb import DuckDBResource
from pydantic import Field

from secscore_pipeline.config.feeds import DEFAULT_NAME, Feed
from secscore_pipeline.config.settings import SETTINGS, batch_size
from secscore_pipeline.ingest.batches import Batch
from secscore_pipeline.ingest.connection import AzureConnection, FeedSettings
from secscore_pipeline.warehouse.warehouse import Warehouse

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


class AzureResource(dg.ConfigurableResource[Any]):
    """One connection to Azure in Dagster: who signs in, where, and which subscriptions are read.

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
    def of(cls, feed: Feed) -> "AzureResource":
        """Return the resource of a feed; secrets stay references."""
        given = FeedSettings.of(feed)
        fields = {name: field for field, name in cls.setting_names().items()}
        secrets: dict[str, Any] = {fields[name]: dg.EnvVar(variable) for name, variable in given.secrets.items()}
        values: dict[str, Any] = {fields[name]: text for name, text in given.values.items()}
        return cls(feed=feed.name, other_feeds=list(feed.others), unset=list(given.unset), **values, **secrets)

    @classmethod
    def setting_names(cls) -> dict[str, str]:
        """Return the setting of each field that is one."""
        return {
            field: str(info.json_schema_extra["setting"])
            for field, info in cls.model_fields.items()
            if isinstance(info.json_schema_extra, dict)
        }

    @property
    def connection(self) -> AzureConnection:
        """The connection, once Dagster has put the secrets in the place of their references."""
        values = {name: getattr(self, field) for field, name in self.setting_names().items()}
        return AzureConnection(values, self.feed, tuple(self.other_feeds), tuple(self.unset), self.has_own_scope)


def connection_resource(feed: Feed) -> dg.ResourceDefinition:
    """Return the Dagster resource that makes the connection of a feed, an `AzureConnection`.

    Its configuration is plain values: Dagster refuses `{env: NAME}` in them, which would put a variable's value,
    whatever it is, into a run's log.

    Args:
        feed: whose connection it is; its settings are the defaults.
    """
    resource = AzureResource.of(feed)

    def connect(context: dg.InitResourceContext) -> AzureConnection:
        chosen: dict[str, Any] = context.resource_config
        has_own_scope = any(chosen[name] != getattr(resource, name) for name in SCOPE_FIELDS)
        update = {**chosen, "has_own_scope": has_own_scope}
        made: AzureResource = resource.model_copy(update=update).process_config_and_initialize()
        return made.connection

    fields = AzureResource.model_fields
    schema = {
        name: dg.Field(str, default_value=getattr(resource, name), description=fields[name].description)
        for name in LAUNCHPAD_FIELDS
    }
    return dg.ResourceDefinition(connect, schema, "Connection to Azure. The environment says where, and as whom.")


class WarehouseResource(DuckDBResource):
    """The warehouse in Dagster: a `DuckDBResource`, whose connections are those of `Warehouse`."""

    work_database: str = Field(default="", description=_MEANINGS["SECSCORE_WORK_DATABASE"])
    data_path: str = Field(default="", description=_MEANINGS["SECSCORE_DATA_PATH"])
    keep_published: str = Field(default="", description=_MEANINGS["SECSCORE_KEEP_PUBLISHED"])

    @classmethod
    def of(cls, warehouse: Warehouse) -> "WarehouseResource":
        """Return the resource of a warehouse."""
        return cls(**asdict(warehouse))

    @property
    def store(self) -> Warehouse:
        """What runs and readers use."""
        return Warehouse(self.database, self.work_database, self.data_path, self.keep_published)

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the store for writing; a new one is made, and an old one migrated."""
        with self.store.get_connection() as connection:
            yield connection


def warehouse_resource() -> dg.ResourceDefinition:
    """Return the Dagster resource of the warehouse; a run's configuration cannot point it at other files.

    Raises:
        SettingsError: see `Warehouse.from_environment`.
    """
    warehouse = WarehouseResource.of(Warehouse.from_environment())
    return dg.ResourceDefinition(lambda _: warehouse, {}, "The DuckDB files or the lake of SECSCORE_DATABASE.")


def io_manager_resource() -> dg.IOManagerDefinition:
    """Return the I/O manager of jobs, which keeps values in memory; assets here hand on none.

    Dagster's own writes into any folder that a run's configuration names.
    """
    return dg.IOManagerDefinition(dg.mem_io_manager.resource_fn, {})


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
