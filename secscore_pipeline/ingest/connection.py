"""A connection to Azure as a feed has it: its settings, its client, and which subscriptions it reads."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from secscore_pipeline.azure.clouds import Cloud
from secscore_pipeline.azure.credentials import Credential
from secscore_pipeline.azure.subscriptions import SubscriptionListing
from secscore_pipeline.config.azure_settings import AzureSettings, read_azure_settings
from secscore_pipeline.config.feeds import DEFAULT_NAME, Feed
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.registry import BY_NAME, CONNECTION_SETTINGS, SECRETS
from secscore_pipeline.errors import explain
from secscore_pipeline.ingest.scope import ResolvedScope, refuse_empty, resolve_scope
from secscore_pipeline.warehouse.rows import ConnectionTenant

if TYPE_CHECKING:
    from secscore_pipeline.azure.arm import ArmClient

SHARED = ("SECSCORE_CA_BUNDLE", "SECSCORE_MAX_CONNECTIONS", "SECSCORE_ENTITIES", "SECSCORE_OWNER_TAG")
"""The settings of the environment that hold for every feed which does not say otherwise."""


@dataclass(frozen=True)
class FeedSettings:
    """The settings of a feed, its secrets by the variables that hold them.

    Attributes:
        values: by the settings' names.
        secrets: the environment variable of each secret, by the setting's name.
        unset: the variables that should hold secrets, and do not.
    """

    values: Mapping[str, str]
    secrets: Mapping[str, str]
    unset: tuple[str, ...] = ()

    @classmethod
    def of(cls, feed: Feed) -> "FeedSettings":
        """Return the settings of a feed; what feeds.yaml has no word for is the environment's.

        Args:
            feed: by feeds.yaml, or by the environment.
        """
        if feed.settings is None:
            secrets = {name: name for name in CONNECTION_SETTINGS if name in SECRETS and os.environ.get(name)}
            values = {name: BY_NAME[name].read_text() for name in CONNECTION_SETTINGS if name not in secrets}
            return cls(values, secrets)
        known = {name: BY_NAME[name].read_text() for name in SHARED} | {
            name: given for name, given in feed.settings.items() if name in CONNECTION_SETTINGS
        }
        values = {name: given for name, given in known.items() if name not in feed.secrets}
        secrets = {name: variable for name, variable in feed.secrets.items() if os.environ.get(variable)}
        return cls(values, secrets, tuple(sorted(set(feed.secrets.values()) - set(secrets.values()))))


@dataclass(frozen=True)
class AzureConnection:
    """One connection to Azure: who signs in, where, and which subscriptions are read.

    Everything is checked when the settings are read or a client is made.

    Attributes:
        values: by the settings' names, as text; a setting that is not there is empty.
        feed: what the connection is called in the tables.
        other_feeds: what the connections beside it are called.
        unset: the environment variables that should hold its secrets, and do not.
        has_own_scope: whether a run has a scope of its own, beside its feed's.
    """

    values: Mapping[str, str] = field(repr=False)
    feed: str = DEFAULT_NAME
    other_feeds: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()
    has_own_scope: bool = False

    @classmethod
    def from_environment(cls) -> "AzureConnection":
        """Return the connection that the environment's settings describe."""
        return cls.of(Feed())

    @classmethod
    def of(cls, feed: Feed) -> "AzureConnection":
        """Return the connection of a feed."""
        given = FeedSettings.of(feed)
        secrets = {name: os.environ[variable] for name, variable in given.secrets.items()}
        return cls({**given.values, **secrets}, feed.name, tuple(feed.others), given.unset)

    def with_settings(self, **changed: str) -> "AzureConnection":
        """Return the same connection with other settings.

        >>> AzureConnection({}).with_settings(SECSCORE_ENTITIES="off").values
        {'SECSCORE_ENTITIES': 'off'}
        """
        return replace(self, values={**self.values, **changed})

    def settings(self) -> AzureSettings:
        """Return the checked settings.

        Raises:
            SettingsError: names every setting that is missing or malformed.
        """
        if self.unset:
            raise SettingsError(
                [
                    explain(f"{name}, which the feed {self.feed} needs, is not set.", "secret-unset")
                    for name in self.unset
                ]
            )
        return read_azure_settings({name: self.values.get(name, "") for name in CONNECTION_SETTINGS})

    def cloud(self) -> Cloud:
        """Return where this connection's Azure lives."""
        return self.settings().cloud

    def client(self) -> "ArmClient":
        """Return the client, one for a run's assets, so that its token and connections are shared.

        Dagster makes a resource anew for every step; the process keeps the newest client.
        """
        settings = self.settings()
        wanted = (settings.credential, settings.cloud, settings.ca_bundle, settings.max_connections)
        if _client(*wanted).is_stopped:
            _client.cache_clear()
        return _client(*wanted)

    def describe_unmatched_patterns(self, listing: SubscriptionListing) -> list[str]:
        """Return a sentence for each pattern of the scope that fits no subscription, or is not used.

        Args:
            listing: what Azure lists; not read where no pattern is set.

        Raises:
            AzureError: the subscriptions could not be listed.
        """
        scope = self.settings().scope
        if not (scope.include or scope.exclude):
            return []
        names = {} if scope.subscription_ids is not None else listing.names
        return scope.describe_unmatched(names)

    def tenant(self) -> ConnectionTenant:
        """Return the connection's own tenant, by its GUID as soon as it has signed in, and by its name in the settings.

        The settings may name a tenant by a domain, or in capitals: what is stored is the GUID of the token.
        """
        name = self.settings().tenant_id.lower()
        return ConnectionTenant(self.client().tenant_id or name, name)

    def listing(self, run_id: str | None = None) -> SubscriptionListing:
        """Return the subscriptions that the identity sees: one list for all assets of a run, where that is named."""
        return _list_subscriptions(self.client(), run_id) if run_id else SubscriptionListing(self.client())

    def subscriptions(self, listing: SubscriptionListing) -> tuple[str, ...]:
        """Return the ids of the subscriptions to read: those listed, or those discovered that the patterns leave in.

        Args:
            listing: what Azure lists; not read where the settings list them.

        Raises:
            AzureError: they could not be listed, or there are none.
        """
        scope = self.settings().scope
        if scope.subscription_ids is not None:
            return scope.subscription_ids
        return refuse_empty(resolve_scope(scope, listing, checks_states=False))

    def resolve_scope(self, listing: SubscriptionListing) -> ResolvedScope:
        """Return which subscriptions are to be read now, and why those that Azure lists beside them are not.

        Args:
            listing: what Azure lists; where the settings name the subscriptions, read only if entities are on.

        Raises:
            AzureError: they could not be listed, or none is listed.
        """
        settings = self.settings()
        return resolve_scope(settings.scope, listing, checks_states=settings.owner_tag is not None)


@lru_cache(maxsize=1)
def _client(credential: Credential, cloud: Cloud, ca_bundle: str | None, max_connections: int) -> "ArmClient":
    # Dagster's processes make connections as resources, and most of them call nothing: HTTP takes 0.1 s to import.
    from secscore_pipeline.azure.arm import ArmClient
    from secscore_pipeline.azure.tokens import MsalTokenSource

    return ArmClient(cloud, MsalTokenSource(credential, cloud, ca_bundle), ca_bundle, max_connections)


@lru_cache(maxsize=1)
def _list_subscriptions(client: "ArmClient", run_id: str) -> SubscriptionListing:  # noqa: ARG001 - another run lists anew
    return SubscriptionListing(client)
