"""Dagster's resources: the connection to Azure, which holds the credentials, and the warehouse."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from dagster_duckdb import DuckDBResource
from pydantic import Field

from secscore_pipeline.azure.arm import ArmClient
from secscore_pipeline.azure.clouds import Cloud
from secscore_pipeline.azure.credentials import ClientSecret, MsalTokenSource
from secscore_pipeline.settings import AzureSettings, azure_settings, database_path, value
from secscore_pipeline.warehouse import connection


class AzureConnection(dg.ConfigurableResource[Any]):
    """One connection to Azure: who signs in, where, and which subscriptions are read.

    The client secret is always a reference to an environment variable (`EnvVar`), so that it never stands in
    a run's configuration. Everything is checked when a client is asked for.
    """

    tenant_id: str = Field(description="The Entra tenant: its GUID or one of its domains.")
    client_id: str = Field(description="The application (client) id of the app registration.")
    client_secret: str = Field(description="The client secret's value, by reference to an environment variable.")
    subscription_ids: str = Field(description="The subscriptions to read: GUIDs, separated by commas.")
    authority_host: str = Field(description="Where to sign in.")
    arm_endpoint: str = Field(description="Azure Resource Manager.")
    ca_bundle: str = Field(default="", description="PEM file with a private CA to trust; empty: the usual store.")
    max_connections: str = Field(default="64", description="How many requests to keep under way at once.")
    event_types: str = Field(description="What to read: secure_scores, secure_score_controls, or both.")
    partial_failure: str = Field(default="warn", description="What a run is that could not read all: warn or fail.")

    @classmethod
    def from_environment(cls) -> "AzureConnection":
        """Make the connection that the environment's settings describe; the secret stays a reference."""
        return cls(
            tenant_id=value("AZURE_TENANT_ID"),
            client_id=value("AZURE_CLIENT_ID"),
            client_secret=dg.EnvVar("AZURE_CLIENT_SECRET"),
            subscription_ids=value("AZURE_SUBSCRIPTION_IDS"),
            authority_host=value("AZURE_AUTHORITY_HOST"),
            arm_endpoint=value("SECSCORE_ARM_ENDPOINT"),
            ca_bundle=value("SECSCORE_CA_BUNDLE"),
            max_connections=value("SECSCORE_MAX_CONNECTIONS"),
            event_types=value("SECSCORE_EVENT_TYPES"),
            partial_failure=value("SECSCORE_PARTIAL_FAILURE"),
        )

    def settings(self) -> AzureSettings:
        """Return the checked settings.

        Raises:
            SettingsError: names every setting that is missing or malformed.
        """
        return azure_settings(
            {
                "AZURE_TENANT_ID": self.tenant_id,
                "AZURE_CLIENT_ID": self.client_id,
                "AZURE_CLIENT_SECRET": self.client_secret,
                "AZURE_SUBSCRIPTION_IDS": self.subscription_ids,
                "AZURE_AUTHORITY_HOST": self.authority_host,
                "SECSCORE_ARM_ENDPOINT": self.arm_endpoint,
                "SECSCORE_CA_BUNDLE": self.ca_bundle,
                "SECSCORE_MAX_CONNECTIONS": self.max_connections,
                "SECSCORE_EVENT_TYPES": self.event_types,
                "SECSCORE_PARTIAL_FAILURE": self.partial_failure,
            }
        )

    def cloud(self) -> Cloud:
        """Return where this connection's Azure lives."""
        settings = self.settings()
        return Cloud(settings.authority_host, settings.arm_endpoint)

    def client(self) -> ArmClient:
        """Return the client, one for a run's assets, so that its token and connections are shared.

        Dagster makes a resource anew for every step; the process keeps the newest client.
        """
        settings = self.settings()
        credential = ClientSecret(settings.tenant_id, settings.client_id, settings.client_secret)
        wanted = (credential, self.cloud(), settings.ca_bundle, settings.max_connections)
        if _client(*wanted).is_stopped:
            _client.cache_clear()
        return _client(*wanted)


@lru_cache(maxsize=1)
def _client(credential: ClientSecret, cloud: Cloud, ca_bundle: str | None, max_connections: int) -> ArmClient:
    return ArmClient(cloud, MsalTokenSource(credential, cloud, ca_bundle), ca_bundle, max_connections)


class Warehouse(DuckDBResource):
    """The DuckDB file: `DuckDBResource`, but always closed, owner-only, migrated, and clear when it is held.

    Its `database` is the file's path; `~` is the home directory.
    """

    @classmethod
    def from_environment(cls) -> "Warehouse":
        """Make the warehouse that SECSCORE_DATABASE names."""
        return cls(database=value("SECSCORE_DATABASE"))

    @property
    def path(self) -> Path:
        """The file's absolute path."""
        return database_path(self.database)

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file for writing, made and migrated when needed."""
        with connection.writing(self.path) as opened:
            yield opened

    @contextmanager
    def get_reader(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file for reading only."""
        with connection.reading(self.path) as opened:
            yield opened
