"""The subscriptions that an identity sees: listed by Azure, whole or below a management group."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import msgspec

from secscore_pipeline.azure.errors import AzureError, InterruptedReadError, Outcome, RequestError
from secscore_pipeline.azure.pages import Page
from secscore_pipeline.azure.parallel import run_side_by_side
from secscore_pipeline.text import GUID, describe_value, printable

if TYPE_CHECKING:
    from secscore_pipeline.azure.arm import ArmClient

_Record = TypeVar("_Record", bound=msgspec.Struct)

log = logging.getLogger(__name__)

SUBSCRIPTIONS_API = "2022-12-01"
GROUPS_API = "2020-05-01"


class ListedSubscription(msgspec.Struct, frozen=True):
    """One subscription as Azure lists it.

    Attributes:
        subscription_id: its id, lower case.
        name: its display name.
        state: Enabled, Warned, PastDue, Disabled or Deleted.
        tenant_id: the Entra tenant that it belongs to, which is also the id of that tenant's root management group.
        record: the JSON text as received.

    Source: operation Subscriptions_List of Azure Resource Manager.
    """

    subscription_id: str
    name: str
    state: str
    tenant_id: str
    record: str

    @property
    def is_enabled(self) -> bool:
        """Whether Azure still assesses it: a disabled or deleted one gives no score. An unknown state says nothing."""
        return self.state.lower() not in ("disabled", "deleted")


class _SubscriptionRecord(msgspec.Struct):
    subscriptionId: object = None  # noqa: N815 - the API's own names
    displayName: object = None  # noqa: N815
    state: object = None
    tenantId: object = None  # noqa: N815


class _Id(msgspec.Struct):
    id: str = ""


class _Place(msgspec.Struct):
    parent: _Id = msgspec.field(default_factory=_Id)


class _Descendant(msgspec.Struct):
    id: str = ""
    properties: _Place = msgspec.field(default_factory=_Place)


class SubscriptionListing:
    """The subscriptions that an identity sees, and where they lie; each list is requested once, when it is needed.

    Args:
        client: the signed-in transport.
    """

    def __init__(self, client: "ArmClient") -> None:
        self._client = client
        self._below: dict[str, Hierarchy] = {}
        self._listed: list[ListedSubscription] | AzureError | None = None

    @property
    def visible(self) -> list[ListedSubscription]:
        """Every subscription on which the identity has any role.

        Raises:
            RequestError: the list could not be had; the next call requests it again.
        """
        while not isinstance(self._listed, list):
            for _ in self.read_pages():
                pass  # kept for the end of the list
        return self._listed

    def read_pages(self) -> Iterator[Sequence[ListedSubscription]]:
        """Yield what each page but the last lists, as it arrives; then the list is whole, and `visible` returns it.

        Nothing is yielded where it is whole already. A later page may list a subscription again, otherwise.

        Raises:
            RequestError: a page could not be had; the next call requests the list from its beginning.
        """
        if isinstance(self._listed, list):
            return
        seen: dict[str, ListedSubscription] = {}
        try:
            for page in self._client.pages("/subscriptions", _version(SUBSCRIPTIONS_API)):
                listed = _parse_subscriptions(page)
                seen.update((one.subscription_id, one) for one in listed)
                if not page.is_last:
                    yield listed
        except AzureError as error:
            self._listed = error
            raise
        self._listed = list(seen.values())

    def visible_or_none(self) -> list[ListedSubscription] | None:
        """Return what `visible` returns; None where the list could not be had, which is not requested again."""
        if isinstance(self._listed, AzureError):
            return None
        try:
            return self.visible
        except AzureError as error:
            log.debug("the subscriptions could not be listed", exc_info=error)
            return None

    @property
    def names(self) -> Mapping[str, str]:
        """The name of each visible subscription by its id; raises as `visible` does."""
        return {one.subscription_id: one.name for one in self.visible}

    @property
    def tenant_ids(self) -> Mapping[str, str]:
        """The tenant of each visible subscription whose tenant Azure names; empty where the list could not be had."""
        return {one.subscription_id: one.tenant_id for one in self.visible_or_none() or () if one.tenant_id}

    def below(self, management_group: str) -> "Hierarchy":
        """Return what lies below the management group that is set, at any depth.

        Raises:
            RequestError: the group cannot be read, or does not exist.
        """
        if management_group not in self._below:
            named = describe_value("AZURE_MANAGEMENT_GROUP_ID", management_group)
            self._below[management_group] = _parse_hierarchy(
                self._client, management_group, named, "management-group-unknown"
            )
        return self._below[management_group]

    def below_roots(self, tenant_ids: Iterable[str]) -> "Iterator[tuple[str, Hierarchy | str]]":
        """Yield each tenant, and what lies below its root management group, or why that could not be read.

        Each tenant is requested by itself: the groups of a tenant that delegated subscriptions by Azure Lighthouse
        cannot be read, and the other tenants' can.

        Args:
            tenant_ids: the tenants' GUIDs, which are also the ids of their root groups.
        """

        def read(tenant_id: str) -> "tuple[str, Hierarchy | str]":
            named = f"The root management group of the tenant {tenant_id}"
            try:
                return tenant_id, _parse_hierarchy(self._client, tenant_id, named, "root-group-unreadable")
            except InterruptedReadError:
                raise
            except AzureError as error:
                return tenant_id, str(error)

        work = (partial(read, tenant_id) for tenant_id in tenant_ids)
        yield from run_side_by_side(work, self._client.pace, self._client.stop)


def _parse_subscriptions(page: Page) -> list[ListedSubscription]:
    """Return the subscriptions of a page."""
    listed = []
    for text in page.records:
        record = _decode(text, _SubscriptionRecord)
        # An id becomes part of paths and of what is printed: nothing else than a GUID may.
        if record is None or not (subscription_id := _guid(record.subscriptionId)):
            continue
        tenant_id, name, state = _guid(record.tenantId), _text(record.displayName), _text(record.state)
        listed.append(ListedSubscription(subscription_id, name, state, tenant_id, text))
    return listed


def _guid(given: object) -> str:
    """Return a GUID in lower case; empty for anything else."""
    return given.lower() if isinstance(given, str) and GUID.fullmatch(given) else ""


def _text(given: object) -> str:
    """Return a text or number as text; empty for anything else."""
    return str(given) if isinstance(given, str | int | float) else ""


def _decode(text: str, form: type[_Record]) -> _Record | None:
    """Return a record of a list; None for one that is not of that form: it is left out, the others stay."""
    try:
        return msgspec.json.decode(text, type=form)
    except (msgspec.ValidationError, RecursionError):
        log.debug("left out of a list of Azure's: %s", printable(text[:200]))
        return None


@dataclass(frozen=True)
class Hierarchy:
    """What lies below one management group.

    Attributes:
        records: the JSON text of each group and subscription below it, as received, by its id, lower case.
        parents: the id of the group that each lies in.

    Source: operation ManagementGroups_GetDescendants of Azure Resource Manager.
    """

    records: Mapping[str, str]
    parents: Mapping[str, str]

    @property
    def subscription_ids(self) -> frozenset[str]:
        """The subscriptions below it, at any depth."""
        return frozenset(one.removeprefix(_SUBSCRIPTION) for one in self.records if one.startswith(_SUBSCRIPTION))

    def above(self, subscription_id: str) -> tuple[str, ...] | None:
        """Return the JSON texts of the groups above a subscription, nearest first; None where it is not below."""
        place = f"{_SUBSCRIPTION}{subscription_id}"
        if place not in self.records:
            return None
        found: dict[str, str] = {}
        while (place := self.parents[place]) in self.records and place not in found:
            found[place] = self.records[place]
        return tuple(found.values())


_SUBSCRIPTION = "/subscriptions/"


def _parse_hierarchy(client: "ArmClient", management_group: str, named: str, failure: str) -> Hierarchy:
    """Read what lies below a management group; a message calls it `named`, and is of the entry `failure`."""
    path = f"/providers/Microsoft.Management/managementGroups/{quote(management_group, safe='')}/descendants"
    records, parents = {}, {}
    try:
        for page in client.pages(path, _version(GROUPS_API)):
            for text in page.records:
                one = _decode(text, _Descendant)
                if one is None:
                    continue
                records[one.id.lower()] = text
                parents[one.id.lower()] = one.properties.parent.id.lower()
    except RequestError as error:
        if error.outcome in (Outcome.FORBIDDEN, Outcome.NOT_FOUND):
            raise RequestError(
                f"{named} cannot be read ({error.http_status} {error.code}).",
                failure,
                outcome=error.outcome,
                http_status=error.http_status,
                code=error.code,
                request_ids=error.request_ids,
            ) from error
        raise
    return Hierarchy(records, parents)


def _version(api_version: str) -> Mapping[str, str]:
    return MappingProxyType({"api-version": api_version})
