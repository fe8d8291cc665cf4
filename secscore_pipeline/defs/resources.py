"""Dagster's resources: the connection to Azure, which holds the credentials, and the warehouse."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import dagster as dg
import duckdb
from dagster_duckdb import DuckDBResource
from pydantic import Field

from secscore_pipeline.config.feeds import DEFAULT_NAME, Feed
from secscore_pipeline.config.registry import (
    SECSCORE_BATCH_SIZE,
    SECSCORE_DATA_PATH,
    SECSCORE_KEEP_PUBLISHED,
    SECSCORE_WORK_DATABASE,
    SETTINGS,
)
from secscore_pipeline.ingest.batches import Batch
from secscore_pipeline.ingest.connection import AzureConnection, FeedSettings
from secscore_pipeline.warehouse.warehouse import Warehouse

LAUNCHPAD_FIELDS = {setting.launchpad_field: setting for setting in SETTINGS if setting.launchpad_field}
"""The settings of a connection that a run's configuration may set, by its fields: what is read and how, never where a
secret goes."""

SCOPE_FIELDS = frozenset({"subscription_ids", "management_group_id", "include", "exclude"})
"""Those of them that say which subscriptions are read: a run with its own says nothing of the scope of its feed."""


def build_connection_resource(feed: Feed) -> dg.ResourceDefinition:
    """Return the Dagster resource that makes the connection of a feed, an `AzureConnection`.

    Its configuration is plain values: Dagster refuses `{env: NAME}` in them, which would put a variable's value,
    whatever it is, into a run's log. A secret is read from the environment when the connection is made, and is in no
    configuration. Everything is checked when a client is made.

    Args:
        feed: whose connection it is; its settings are the defaults.
    """
    given = FeedSettings.of(feed).values
    defaults = {field: given.get(setting.name, "") for field, setting in LAUNCHPAD_FIELDS.items()}

    def connect(context: dg.InitResourceContext) -> AzureConnection:
        config: dict[str, str] = context.resource_config
        changed = {field: text for field, text in config.items() if text != defaults[field]}
        settings = {LAUNCHPAD_FIELDS[field].name: text for field, text in changed.items()}
        connection = AzureConnection.of(feed).with_settings(**settings)
        return replace(connection, has_own_scope=not SCOPE_FIELDS.isdisjoint(changed))

    schema = {
        field: dg.Field(str, default_value=defaults[field], description=setting.help)
        for field, setting in LAUNCHPAD_FIELDS.items()
    }
    return dg.ResourceDefinition(connect, schema, "Connection to Azure. The environment says where, and as whom.")


class WarehouseResource(DuckDBResource):
    """The warehouse in Dagster: a `DuckDBResource`, whose connections are those of `Warehouse`."""

    work_database: str = Field(default="", description=SECSCORE_WORK_DATABASE.help)
    data_path: str = Field(default="", description=SECSCORE_DATA_PATH.help)
    keep_published: int = Field(default=0, description=SECSCORE_KEEP_PUBLISHED.help)

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


def build_warehouse_resource() -> dg.ResourceDefinition:
    """Return the Dagster resource of the warehouse; a run's configuration cannot point it at other files.

    Raises:
        SettingsError: see `Warehouse.from_environment`.
    """
    warehouse = WarehouseResource.of(Warehouse.from_environment())
    return dg.ResourceDefinition(lambda _: warehouse, {}, "The DuckDB files or the lake of SECSCORE_DATABASE.")


def build_io_manager_resource() -> dg.IOManagerDefinition:
    """Return the I/O manager of jobs, which keeps values in memory; assets here hand on none.

    Dagster's own writes into any folder that a run's configuration names.
    """
    return dg.IOManagerDefinition(dg.mem_io_manager.resource_fn, {})


def get_batch(context: dg.AssetExecutionContext) -> Batch | None:
    """Return the batch that a run reads; None where it reads all of its feed."""
    return Batch.of(context.partition_key) if context.has_partition_key and SECSCORE_BATCH_SIZE.read() else None


def get_connection(context: dg.AssetExecutionContext) -> AzureConnection:
    """Return the connection that a run reads: that of the feed which its partition names, or the only one."""
    batch = get_batch(context)
    feed = batch.feed if batch else context.partition_key if context.has_partition_key else DEFAULT_NAME
    resources: Any = context.resources
    found: AzureConnection = getattr(resources, f"azure_{feed}", None) or resources.azure
    return found
