"""The subscriptions that an identity sees: listed by Azure, whole or below a management group."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from secscore_pipeline.azure.arm import ArmClient
from secscore_pipeline.azure.errors import Outcome, RequestError

SUBSCRIPTIONS_API = "2022-12-01"
GROUPS_API = "2020-05-01"


class Seen(msgspec.Struct, frozen=True):
    """One subscription as Azure lists it.

    Attributes:
        subscription_id: its id, lower case.
        name: its display name.
        state: Enabled, Warned, PastDue, Disabled or Deleted.
        record: the JSON text as received.

    Source: operation Subscriptions_List of Azure Resource Manager.
    """

    subscription_id: str
    name: str
    state: str
    record: str

    @property
    def is_enabled(self) -> bool:
        """Whether Azure still assesses it: a disabled or deleted one gives no score."""
        return self.state.lower() in ("enabled", "warned", "pastdue")


def visible(client: ArmClient) -> list[Seen]:
    """Return every subscription on which the identity has any role.

    Raises:
        RequestError: the list could not be had.
    """
    seen = []
    for page in client.pages("/subscriptions", _version(SUBSCRIPTIONS_API)):
        for text in page.records:
            record: dict[str, Any] = msgspec.json.decode(text)
            subscription_id = str(record.get("subscriptionId") or "").lower()
            if subscription_id:
                name, state = str(record.get("displayName") or ""), str(record.get("state") or "")
                seen.append(Seen(subscription_id, name, state, text))
    return seen


def below(client: ArmClient, management_group: str) -> set[str]:
    """Return the ids of the subscriptions below a management group, at any depth.

    Raises:
        RequestError: the group cannot be read, or does not exist.
    """
    path = f"/providers/Microsoft.Management/managementGroups/{management_group}/descendants"
    found = set()
    try:
        for page in client.pages(path, _version(GROUPS_API)):
            for text in page.records:
                identifier = str(msgspec.json.decode(text).get("id") or "").lower()
                if identifier.startswith("/subscriptions/"):
                    found.add(identifier.removeprefix("/subscriptions/"))
    except RequestError as error:
        if error.outcome in (Outcome.FORBIDDEN, Outcome.NOT_FOUND):
            raise RequestError(
                f"The management group {management_group!r} cannot be read ({error.http_status} {error.code}).",
                "management-group-unknown",
                outcome=error.outcome,
                http_status=error.http_status,
                code=error.code,
                request_ids=error.request_ids,
            ) from error
        raise
    return found


def _version(api_version: str) -> Mapping[str, str]:
    return MappingProxyType({"api-version": api_version})
