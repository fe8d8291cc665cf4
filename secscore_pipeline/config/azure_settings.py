"""The settings of one connection to Azure, checked together: who signs in, where, and what is read."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from secscore_pipeline.azure.clouds import Cloud
from secscore_pipeline.azure.credentials import (
    ClientCertificate,
    ClientSecret,
    Credential,
    ManagedIdentity,
    WorkloadIdentity,
)
from secscore_pipeline.azure.event_types import EventType
from secscore_pipeline.config import registry
from secscore_pipeline.config.kinds import SettingsError, refuse
from secscore_pipeline.config.scope import Scope
from secscore_pipeline.config.setting import collect_problems
from secscore_pipeline.errors import explain
from secscore_pipeline.text import GUID

_MANAGED_BY_PLATFORM = ("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST")
"""What Azure's platforms set where they give an identity; a virtual machine sets nothing."""


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


def read_azure_settings(values: Mapping[str, str]) -> AzureSettings:
    """Return the settings of a connection, checked.

    Args:
        values: by their names in the environment; a missing or empty one takes its default.

    Raises:
        SettingsError: names every setting that is missing or malformed, not only the first.
    """
    registry.refuse_misquoted(values)  # what else is wrong follows from these
    settings = [registry.BY_NAME[name] for name in registry.CONNECTION_SETTINGS]
    checks = (partial(setting.read, values) for setting in settings)
    if problems := collect_problems(*checks, partial(check_identity, values)):
        raise SettingsError(problems)
    cloud = registry.AZURE_CLOUD.read(values)
    return AzureSettings(
        tenant_id=registry.AZURE_TENANT_ID.read(values),
        credential=_make_credential(values),
        cloud=Cloud(
            registry.AZURE_AUTHORITY_HOST.read(values) or cloud.authority_host,
            registry.SECSCORE_ARM_ENDPOINT.read(values) or cloud.arm_endpoint,
        ),
        scope=Scope(
            registry.AZURE_SUBSCRIPTION_IDS.read(values),
            registry.AZURE_MANAGEMENT_GROUP_ID.read(values) or None,
            registry.SECSCORE_INCLUDE.read(values),
            registry.SECSCORE_EXCLUDE.read(values),
        ),
        ca_bundle=registry.SECSCORE_CA_BUNDLE.read(values),
        max_connections=registry.SECSCORE_MAX_CONNECTIONS.read(values),
        event_types=tuple(registry.EVENT_TYPES[name] for name in registry.SECSCORE_EVENT_TYPES.read(values)),
        owner_tag=registry.SECSCORE_OWNER_TAG.read(values) if registry.SECSCORE_ENTITIES.read(values) else None,
    )


def check_identity(values: Mapping[str, str]) -> None:
    """Check that the settings of the tenant, the application and its credential are there and fit together.

    Args:
        values: by their names in the environment.

    Raises:
        SettingsError: names each thing that is missing or contradicts another.
    """
    if problems := collect_problems(partial(_check_tenant, values), partial(_check_credential, values)):
        raise SettingsError(problems)


def _check_tenant(values: Mapping[str, str]) -> None:
    """Check that there is a tenant, and that it is not the application.

    Raises:
        SettingsError: says which of these.
    """
    tenant_id, client_id = registry.AZURE_TENANT_ID.read_text(values), registry.AZURE_CLIENT_ID.read_text(values)
    if not tenant_id:
        refuse("AZURE_TENANT_ID is not set.", "setting-missing")
    if GUID.fullmatch(client_id) and client_id.lower() == tenant_id.lower():
        refuse("AZURE_TENANT_ID and AZURE_CLIENT_ID are the same id.", "tenant-is-client")


def _check_credential(values: Mapping[str, str]) -> None:
    """Check that there is something to sign in with, and that it is complete.

    Raises:
        SettingsError: names each thing that is missing, and a secret's ID in the place of its value.
    """
    credential = _choose_credential(values)
    problems = []
    if credential is ClientSecret and GUID.fullmatch(registry.AZURE_CLIENT_SECRET.read_text(values)):
        problems.append(explain("AZURE_CLIENT_SECRET is a GUID, as the secret's ID is.", "secret-is-id"))
    if credential is None:
        problems.append(explain("There is nothing to sign in with.", "credential-missing"))
    if credential is not ManagedIdentity and not registry.AZURE_CLIENT_ID.read_text(values):
        problems.append(explain("AZURE_CLIENT_ID is not set.", "setting-missing"))
    if problems:
        raise SettingsError(problems)


def _choose_credential(values: Mapping[str, str]) -> type[Credential] | None:
    """Return what the identity proves itself with: the first that is set, in the order of the Azure SDKs.

    Raises:
        SettingsError: AZURE_TOKEN_CREDENTIALS names none.
    """
    wanted = registry.AZURE_TOKEN_CREDENTIALS.read(values)
    may_use_environment, may_use_workload, may_use_managed = (wanted in ("", kind) for kind in registry.CREDENTIALS)
    if may_use_environment and registry.AZURE_CLIENT_SECRET.read_text(values):
        return ClientSecret
    if may_use_environment and registry.AZURE_CLIENT_CERTIFICATE_PATH.read_text(values):
        return ClientCertificate
    if may_use_workload and registry.AZURE_FEDERATED_TOKEN_FILE.read_text(values):
        return WorkloadIdentity
    if may_use_managed and (wanted or any(os.environ.get(name) for name in _MANAGED_BY_PLATFORM)):
        return ManagedIdentity
    return None


def _make_credential(values: Mapping[str, str]) -> Credential:
    """Return the credential of settings that are checked."""
    tenant_id, client_id = registry.AZURE_TENANT_ID.read(values), registry.AZURE_CLIENT_ID.read(values)
    kind = _choose_credential(values)
    if kind is ClientSecret:
        secret, expires_on = registry.AZURE_CLIENT_SECRET.read(values), registry.SECSCORE_SECRET_EXPIRES.read(values)
        return ClientSecret(tenant_id, client_id, secret, expires_on)
    if kind is ClientCertificate and (certificate := registry.AZURE_CLIENT_CERTIFICATE_PATH.read(values)):
        password = registry.AZURE_CLIENT_CERTIFICATE_PASSWORD.read(values)
        return ClientCertificate(tenant_id, client_id, certificate, password)
    if kind is WorkloadIdentity and (token_file := registry.AZURE_FEDERATED_TOKEN_FILE.read(values)):
        return WorkloadIdentity(tenant_id, client_id, token_file)
    return ManagedIdentity(client_id)
