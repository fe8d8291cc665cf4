"""The resources of a simulated subscription, and how each control finds them from day to day.

A control's counts lead, and the resources follow: when three more are healthy today than yesterday, three that were
unhealthy are fixed. What is assessed on each resource follows from the resource's state in its controls, so that the
counts can be computed from the assessments as Microsoft documents it: a resource is unhealthy in a control when one
assessment that counts is, and healthy when all are.
"""

import random
import uuid
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from itertools import zip_longest
from typing import NamedTuple

from secscore_pipeline.emulator.controls import NAMESPACE, Counts
from secscore_pipeline.emulator.recommendations import Catalogue, Recommendation, make_own


class Health(IntEnum):
    """What a control finds a resource to be."""

    HEALTHY = 0
    UNHEALTHY = 1
    NOT_APPLICABLE = 2


@dataclass(frozen=True)
class Kind:
    """A kind of resource.

    Attributes:
        path: the resource's id, with places for the subscription, the resource group, the name and a parent's name.
        prefix: what names begin with; names are GUIDs where it is empty.
    """

    path: str
    prefix: str = ""


_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}/providers/"

KINDS = {
    "vm": Kind(_GROUP + "Microsoft.Compute/virtualMachines/{name}", "vm-"),
    "extension": Kind(_GROUP + "Microsoft.Compute/virtualMachines/vm-{parent}/extensions/{name}", "agent"),
    "scaleset": Kind(_GROUP + "Microsoft.Compute/virtualMachineScaleSets/{name}", "vmss-"),
    "storage": Kind(_GROUP + "Microsoft.Storage/storageAccounts/{name}", "st"),
    "sql": Kind(_GROUP + "Microsoft.Sql/servers/{name}", "sql-"),
    "sqldb": Kind(_GROUP + "Microsoft.Sql/servers/sql-{parent}/databases/{name}", "db-"),
    "redis": Kind(_GROUP + "Microsoft.Cache/Redis/{name}", "cache-"),
    "web": Kind(_GROUP + "Microsoft.Web/sites/{name}", "app-"),
    "vnet": Kind(_GROUP + "Microsoft.Network/virtualNetworks/{name}", "vnet-"),
    "subnet": Kind(_GROUP + "Microsoft.Network/virtualNetworks/vnet-{parent}/subnets/{name}", "snet-"),
    "ip": Kind(_GROUP + "Microsoft.Network/publicIPAddresses/{name}", "pip-"),
    "keyvault": Kind(_GROUP + "Microsoft.KeyVault/vaults/{name}", "kv-"),
    "workspace": Kind(_GROUP + "Microsoft.OperationalInsights/workspaces/{name}", "log-"),
    "registry": Kind(_GROUP + "Microsoft.ContainerRegistry/registries/{name}", "cr"),
    "aks": Kind(_GROUP + "Microsoft.ContainerService/managedClusters/{name}", "aks-"),
    "container": Kind(
        _GROUP + "Microsoft.ContainerService/managedClusters/aks-{parent}/providers/Microsoft.Security/"
        "securityentitydata/{name}",
        "container-",
    ),
    "aws": Kind(
        _GROUP + "Microsoft.Security/securityConnectors/aws-production/securityentitydata/{name}",
        "aws-ec2-instance-i-",
    ),
    "role": Kind("/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{name}"),
    "identity": Kind("/subscriptions/{subscription}/providers/Microsoft.Security/identities/{name}"),
    "subscription": Kind("/subscriptions/{subscription}"),
}
"""The kinds of resources by their short names."""

_GROUPS = ("rg-Frontend", "rg-Backend", "rg-Shared", "rg-Data")
"""Resource groups of every subscription."""

_CHILDREN = 3
"""How many databases a server has, subnets a network, containers a cluster, and extensions a machine."""


class Resource(NamedTuple):
    """A resource of a subscription, by its kind and its number among those of the kind."""

    kind: str
    number: int

    def name(self, subscription_id: str) -> str:
        """Return its name."""
        prefix = KINDS[self.kind].prefix
        if self.kind == "subscription":
            return subscription_id
        return f"{prefix}{self.number:03}" if prefix else str(uuid.uuid5(NAMESPACE, f"{subscription_id}/{self}"))

    def id(self, subscription_id: str) -> str:
        """Return its id, in the case in which it was made."""
        path = KINDS[self.kind].path
        parent = self.number // _CHILDREN if "{parent}" in path else self.number
        return path.format(
            subscription=subscription_id,
            group=_GROUPS[parent % len(_GROUPS)],
            name=self.name(subscription_id),
            parent=f"{parent:03}",
        )


History = tuple[tuple[int, Health], ...]
"""The states of a resource in a control: each with the day since when, in days since the world began."""


class Assessment(NamedTuple):
    """One recommendation on one resource.

    Attributes:
        history: the states of the resource that it follows.
        is_decisive: whether it always has the resource's state; another can be better.
    """

    resource: Resource
    recommendation: Recommendation
    history: History
    is_decisive: bool


_BEST_FIRST = (Health.UNHEALTHY, Health.HEALTHY, Health.NOT_APPLICABLE)
"""The order in which resources change when a control's counts do: fixing comes first."""


_IN_NO_CONTROL = (
    Resource("subscription", 0),
    *(Resource(kind, number) for kind in ("aws", "extension") for number in range(2)),
)
"""Resources that are there although no control assesses them."""


class Inventory:
    """The resources of one subscription, and their states in its controls.

    Args:
        subscription_id: whose resources they are.
        catalogue: what is assessed on them.
    """

    def __init__(self, subscription_id: str, catalogue: Catalogue) -> None:
        self.subscription_id = subscription_id
        self._catalogue = catalogue
        self._members: dict[str, dict[Resource, History]] = {}
        self._counts: dict[str, Counts] = {}
        self._first_days: dict[Resource, int] = {}
        self._resources: dict[Resource, Resource] = {}
        self._free: dict[tuple[str, str], int] = {}
        self._assessments: list[Assessment] | None = None
        self._begin: int | None = None
        self._today = 0

    def follow(self, counts: Mapping[str, Counts], day: int) -> None:
        """Change as few resources as possible, so that each control finds these counts on this day.

        Controls that the catalogue lacks have no resources.
        """
        if self._begin is None:
            self._begin = day
        if day != self._today:
            self._today, self._assessments = day, None
        if counts == self._counts:
            return
        for name in self._members.keys() - counts.keys():
            self._free = {place: number for place, number in self._free.items() if place[0] != name}
            for resource in self._members.pop(name):
                self._remove(resource)
        for name, wanted in counts.items():
            if self._counts.get(name) != wanted and name in self._catalogue.counted:
                self._move(name, wanted, day)
        self._counts = dict(counts)
        self._assessments = None

    def list_assessments(self) -> list[Assessment]:
        """Return what is assessed: what controls count, and what none does, in an order that stays the same."""
        if self._assessments is None:
            self._assessments = [*self._list_counted(), *self._list_shared(), *self._list_others()]
        return self._assessments

    def _move(self, control: str, wanted: Counts, day: int) -> None:
        chance = random.Random(f"{self.subscription_id}/{control}/{day}")  # noqa: S311 - a simulation
        members = self._members.setdefault(control, {})
        targets = {
            Health.HEALTHY: wanted.healthy,
            Health.UNHEALTHY: wanted.unhealthy,
            Health.NOT_APPLICABLE: wanted.not_applicable,
        }
        found: dict[Health, list[Resource]] = {health: [] for health in Health}
        for resource, history in members.items():
            found[history[-1][1]].append(resource)
        surplus = [
            resource
            for health in _BEST_FIRST
            for resource in chance.sample(found[health], max(0, len(found[health]) - targets[health]))
        ]
        lacking = [health for health in Health for _ in range(targets[health] - len(found[health]))]
        for resource, health in zip_longest(surplus, lacking):
            if health is None:
                del members[resource]
                self._free[control, resource.kind] = min(resource.number, self._free[control, resource.kind])
                self._remove(resource)
            elif resource is None:
                joining = self._choose(control, members)
                members[joining] = ((day, health),)
                self._first_days.setdefault(joining, day)
            else:
                members[resource] = _append(members[resource], day, health)

    def _remove(self, resource: Resource) -> None:
        """Forget when a resource appeared, if it is gone: no control assesses it any more."""
        if not any(resource in members for members in self._members.values()):
            self._first_days.pop(resource, None)

    def _choose(self, control: str, members: Mapping[Resource, History]) -> Resource:
        """Return the first resource that a control does not assess yet; its kinds come by turns."""
        kinds = [
            kind for kind in self._catalogue.counted[control] if (kind, 0) not in members or kind != "subscription"
        ]
        kind = kinds[len(members) % len(kinds)]
        number = self._free.get((control, kind), 0)
        while (kind, number) in members:
            number += 1
        self._free[control, kind] = number
        resource = Resource(kind, number)
        return self._resources.setdefault(resource, resource)

    def _list_counted(self) -> Iterator[Assessment]:
        for control, members in self._members.items():
            by_kind = self._catalogue.counted[control]
            for resource, history in members.items():
                counted = by_kind[resource.kind]
                decisive = zlib.crc32(f"{self.subscription_id}/{resource}/{control}".encode()) % len(counted)
                for place, recommendation in enumerate(counted):
                    yield Assessment(resource, recommendation, history, place == decisive)

    def _list_shared(self) -> Iterator[Assessment]:
        """Yield what two controls count: on the resources of both, and unhealthy only where both find them so."""
        for control, shared in self._catalogue.shared.items():
            members = self._members.get(control, {})
            for owner, recommendation in shared:
                for resource, history in self._members.get(owner, {}).items():
                    if resource.kind == recommendation.kind and resource in members:
                        yield Assessment(resource, recommendation, _combine(history, members[resource]), False)

    def _list_others(self) -> Iterator[Assessment]:
        """Yield what no control counts: on two thirds of the resources, and fixed some day."""
        for resource in sorted({*self._first_days, *_IN_NO_CONTROL}):
            first = self._first_days.get(resource, self._begin or 0)
            for recommendation in self._catalogue.others.get(resource.kind, ()):
                chance = zlib.crc32(f"{self.subscription_id}/{resource}/{recommendation.key}".encode())
                fixed = first + 1 + chance % 120
                history: History = ((first, Health.UNHEALTHY),)
                if fixed <= self._today:
                    history = (*history, (fixed, Health.HEALTHY))
                if chance % 3:
                    yield Assessment(resource, recommendation, history, False)
        yield Assessment(
            Resource("subscription", 0), make_own(self.subscription_id), ((self._begin or 0, Health.UNHEALTHY),), True
        )


def _append(history: History, day: int, health: Health) -> History:
    """Return a history that goes on; of several changes on a day only the last counts."""
    if history[-1][0] == day:
        history = history[:-1]
    return history if history and history[-1][1] is health else (*history, (day, health))


def _combine(one: History, other: History) -> History:
    """Return the states that two controls together find: not applicable in one, or else unhealthy in both."""
    begin = max(one[0][0], other[0][0])
    combined: History = ()
    for day in sorted({begin, *(day for day, _ in one + other if day > begin)}):
        states = {_state_on(one, day), _state_on(other, day)}
        if Health.NOT_APPLICABLE in states:
            health = Health.NOT_APPLICABLE
        else:
            health = Health.UNHEALTHY if states == {Health.UNHEALTHY} else Health.HEALTHY
        combined = _append(combined, day, health) if combined else ((day, health),)
    return combined


def _state_on(history: History, day: int) -> Health:
    return next(health for since, health in reversed(history) if since <= day)
