"""The simulated tenant: subscriptions with resources, and the scores computed from them. No HTTP."""

import random
import uuid
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from functools import cached_property

from secscore_pipeline.emulator.controls import (
    BIRTHDAY,
    CHANGING,
    DEFINITIONS,
    NAMESPACE,
    Counts,
    Definition,
    compute_points,
    draw_counts,
    live_a_day,
    make_custom_definition,
    share_keys,
)
from secscore_pipeline.emulator.recommendations import Catalogue
from secscore_pipeline.emulator.resources import Assessment, Inventory

API_VERSION = "2020-01-01"


class State(StrEnum):
    """What a subscription is like to somebody who reads its score."""

    NORMAL = "normal"
    GRACE = "grace"  # a second score beside ascScore
    UNSCORED = "unscored"
    UNREGISTERED = "unregistered"
    FORBIDDEN = "forbidden"  # visible by some other role, but its score may not be read
    DISABLED = "disabled"
    FOREIGN = "foreign"  # it trusts another tenant
    UNSUPPORTED = "unsupported"  # "Access to Azure Active Directory": listed as Enabled, no provider serves its kind


ROOT_GROUP = "root"

GROUPS = {"root": None, "platform": "root", "landing-zones": "root", "corp": "landing-zones", "online": "landing-zones"}
"""The management groups, each with the one it lies in."""

_CONTROLS_OF_A_CHANGE = 16
"""How many controls change, as a share of all, for a share of assessments that changes."""

_SCALINGS = 3
"""How often counts are scaled until a subscription has as many assessments as it should."""

_TEAMS = ("payments", "logistics", "research", "web", "data")
_STAGES = ("prod", "test", "dev")


@dataclass
class Subscription:
    """One subscription: its id, its state, and the counts of each control by the definition's name.

    Attributes:
        name: its display name.
        tags: as somebody set them.
        group: the id of the management group it lies in.
        tenant_id: the tenant that it belongs to.
    """

    subscription_id: str
    state: State = State.NORMAL
    counts: dict[str, Counts] = field(default_factory=dict)
    name: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    group: str = ROOT_GROUP
    tenant_id: str = ""


@dataclass(frozen=True)
class Federation:
    """A platform whose tokens an application's federated credential trusts.

    Attributes:
        issuer, subject, audience: what a token must say, to the letter.
        public_key: what its signature is checked with, PEM.
    """

    issuer: str
    subject: str
    audience: str
    public_key: bytes


@dataclass
class Application:
    """An app registration that may sign in: what it proves itself with, and what may stand in its way.

    Attributes:
        certificates: those uploaded for it, PEM.
        federations: its federated credentials.
        has_principal: whether its tenant has a service principal of it.
        blocked: whether Conditional Access blocks it.
        assigned: whether it is the identity of the machine that calls the metadata service.
    """

    client_id: str
    secret: str
    object_id: str
    display_name: str = "local-reader"
    disabled: bool = False
    secret_expired: bool = False
    certificates: list[bytes] = field(default_factory=list)
    federations: list[Federation] = field(default_factory=list)
    has_principal: bool = True
    blocked: bool = False
    assigned: bool = False
    reads_groups: bool = True


class World:
    """Everything the local Azure knows: one tenant, its applications and its subscriptions.

    Customers' tenants may have delegated subscriptions to it by Azure Lighthouse: see `add_customer`.

    Attributes:
        domain: the tenant's domain, which names it as well as its GUID does.

    Args:
        seed: the same seed makes the same world.
        subscriptions: how many, all of them normal but for one of each other state when `mixed`.
        mixed: whether some subscriptions are in the states that real tenants have.
        custom_controls: how many controls of the tenant's own there are, which give no points, beside Microsoft's.
        shared_keys: how many keys of recommendations a second control lists too, at most `controls.MOST_SHARED`.
        assessments: about how many each subscription has at first; None leaves that to the seed.
        changing: about which share of the assessments changes on a day, at most 0.06; None leaves that to the seed.
        drift: by how many days the scores and controls are behind the assessments.
    """

    def __init__(
        self,
        seed: int = 1,
        subscriptions: int = 5,
        *,
        mixed: bool = False,
        custom_controls: int = 0,
        shared_keys: int = 0,
        assessments: int | None = None,
        changing: float | None = None,
        drift: int = 0,
    ) -> None:
        self.tenant_id = str(uuid.uuid5(NAMESPACE, f"tenant/{seed}"))
        self.domain = f"contoso{seed}.onmicrosoft.com"
        self.seed = seed
        self.applications: dict[str, Application] = {}
        self.subscriptions: dict[str, Subscription] = {}
        custom = (make_custom_definition(number) for number in range(1, 1 + custom_controls))
        self.definitions: tuple[Definition, ...] = share_keys((*DEFINITIONS, *custom), shared_keys)
        self.today = BIRTHDAY
        self._assessment_target = assessments
        self._changing = CHANGING if changing is None else changing * _CONTROLS_OF_A_CHANGE
        self._drift = drift
        self._first_days: dict[str, date] = {}
        self._inventories: dict[str, Inventory] = {}
        self._past_counts: dict[str, deque[dict[str, Counts]]] = {}
        special = [State.GRACE, State.UNSCORED, State.FORBIDDEN] if mixed else []
        for number in range(subscriptions):
            left = subscriptions - number
            state = special[left - 1] if left <= len(special) < subscriptions else State.NORMAL
            self.add_subscription(str(uuid.uuid5(NAMESPACE, f"subscription/{seed}/{number}")), state)

    def is_tenant(self, name: str) -> bool:
        """Return whether a GUID or domain, in any case, names the tenant."""
        return name.lower() in (self.tenant_id, self.domain)

    def add_customer(self, subscriptions: int = 1) -> str:
        """Add a customer's tenant that has delegated subscriptions to this one by Azure Lighthouse; return its id."""
        number = len({one.tenant_id for one in self.subscriptions.values()} | {self.tenant_id})
        tenant_id = str(uuid.uuid5(NAMESPACE, f"customer/{self.seed}/{number}"))
        for place in range(subscriptions):
            identifier = str(uuid.uuid5(NAMESPACE, f"subscription/{tenant_id}/{place}"))
            self.add_subscription(identifier).tenant_id = tenant_id
        return tenant_id

    def add_subscription(self, subscription_id: str, state: State = State.NORMAL) -> Subscription:
        """Add a subscription with seeded resources."""
        naming = random.Random(f"{self.seed}/{subscription_id}/name")  # noqa: S311 - a simulation
        team, stage = naming.choice(_TEAMS), naming.choice(_STAGES)
        subscription = Subscription(
            subscription_id,
            state,
            self._draw_counts(subscription_id),
            name=f"{team}-{stage}-{subscription_id[:4]}",
            tags={"team": team, "stage": stage, "owner": f"{team}@example.com"},
            group=naming.choice(tuple(GROUPS)),
            tenant_id=self.tenant_id,
        )
        if state is State.UNSUPPORTED:
            subscription.name, subscription.tags = "Access to Azure Active Directory", {}
        self.subscriptions[subscription_id.lower()] = subscription
        self._inventories.pop(subscription_id.lower(), None)
        if self.today > BIRTHDAY:
            self._first_days[subscription_id.lower()] = self.today
        return subscription

    def _draw_counts(self, subscription_id: str) -> dict[str, Counts]:
        """Return the counts of a subscription's controls on its first day."""
        chance = random.Random(f"{self.seed}/{subscription_id}")  # noqa: S311 - a simulation
        size = chance.choice((3, 12, 40, 150))
        counts = {definition.name: draw_counts(chance, size) for definition in self.definitions}
        for _ in range(_SCALINGS if self._assessment_target else 0):
            inventory = Inventory(subscription_id, self.catalogue)
            inventory.follow(counts, 0)
            ratio = (self._assessment_target or 0) / len(inventory.list_assessments())
            counts = {name: one.scale(ratio) for name, one in counts.items()}
        return counts

    @cached_property
    def catalogue(self) -> Catalogue:
        """The recommendations of the tenant."""
        return Catalogue(self.definitions)

    def list_assessments(self, subscription: Subscription) -> list[Assessment]:
        """Return what is assessed in a subscription today: nothing where it is without a score or disabled."""
        if subscription.state in (State.UNSCORED, State.DISABLED):
            return []
        identifier = subscription.subscription_id.lower()
        inventory = self._inventories.get(identifier)
        if inventory is None:
            inventory = self._inventories[identifier] = self._replay(subscription.subscription_id)
        inventory.follow(subscription.counts, (self.today - BIRTHDAY).days)
        return inventory.list_assessments()

    def _replay(self, subscription_id: str) -> Inventory:
        """Return the resources of a subscription as the days since its first have made them.

        Nobody asks for the resources of most subscriptions, so that the days as they pass change counts alone.
        """
        inventory = Inventory(subscription_id, self.catalogue)
        counts, day = self._draw_counts(subscription_id), self._first_days.get(subscription_id.lower(), BIRTHDAY)
        inventory.follow(counts, (day - BIRTHDAY).days)
        while day < self.today:
            day += timedelta(days=1)
            live_a_day(counts, self.definitions, self._make_dice(subscription_id, day), self._changing)
            inventory.follow(counts, (day - BIRTHDAY).days)
        return inventory

    def _make_dice(self, subscription_id: str, day: date) -> random.Random:
        return random.Random(f"{self.seed}/{subscription_id}/{day}")  # noqa: S311 - a simulation

    def simulate_until(self, day: date) -> None:
        """Simulate each day up to `day`; the same seed makes the same days, and an earlier day changes nothing.

        Resources come and go, get fixed and broken; controls are added, retired and re-weighted; subscriptions appear.
        """
        while self.today < day:
            self.today += timedelta(days=1)
            for identifier, subscription in self.subscriptions.items():
                if self._drift:
                    past = self._past_counts.setdefault(identifier, deque(maxlen=self._drift))
                    past.append(dict(subscription.counts))
                dice = self._make_dice(subscription.subscription_id, self.today)
                live_a_day(subscription.counts, self.definitions, dice, self._changing)
                naming = random.Random(f"{self.seed}/{subscription.subscription_id}/{self.today}/name")  # noqa: S311
                _reorganize(subscription, naming)
                if identifier in self._inventories:
                    self._inventories[identifier].follow(subscription.counts, (self.today - BIRTHDAY).days)
            chance = random.Random(f"{self.seed}/{self.today}")  # noqa: S311 - a simulation
            if chance.random() < 1 / 60:
                chosen = chance.choice(self.definitions)
                heavier = max(1, chosen.max_score + chance.choice((-1, 1)))
                self.definitions = tuple(
                    replace(definition, max_score=heavier) if definition is chosen and chosen.max_score else definition
                    for definition in self.definitions
                )
            if chance.random() < 1 / 45:
                self.add_subscription(str(uuid.uuid5(NAMESPACE, f"subscription/{self.seed}/{self.today}")))

    def subscription_document(self, subscription: Subscription) -> dict[str, object]:
        """Return a subscription as ARM lists it (Subscriptions_List, 2022-12-01)."""
        identifier = subscription.subscription_id
        is_delegated = subscription.tenant_id != self.tenant_id
        return {
            "id": f"/subscriptions/{identifier}",
            "authorizationSource": "RoleBased",
            "managedByTenants": [{"tenantId": self.tenant_id}] if is_delegated else [],
            "tags": subscription.tags,
            "subscriptionId": identifier,
            "tenantId": subscription.tenant_id,
            "displayName": subscription.name,
            "state": "Disabled" if subscription.state is State.DISABLED else "Enabled",
            "subscriptionPolicies": {
                "locationPlacementId": "Public_2014-09-01",
                "quotaId": "AAD_2015-09-01"
                if subscription.state is State.UNSUPPORTED
                else "EnterpriseAgreement_2014-09-01",
                "spendingLimit": "Off",
            },
        }

    def group_id(self, name: str) -> str:
        """Return the id of a management group; that of the root is the tenant's."""
        return self.tenant_id if name == ROOT_GROUP else name

    def descendants(self, group: str) -> list[dict[str, object]]:
        """Return what is below a management group (ManagementGroups_GetDescendants, 2020-05-01)."""
        inside = {ROOT_GROUP if group == self.tenant_id else group}
        for name, parent in GROUPS.items():  # parents stand before their children
            if parent in inside:
                inside.add(name)
        base = "/providers/Microsoft.Management/managementGroups"

        def document(identifier: str, kind: str, name: str, title: str, parent: str) -> dict[str, object]:
            properties = {"displayName": title, "parent": {"id": f"{base}/{self.group_id(parent)}"}}
            return {"id": identifier, "type": kind, "name": name, "properties": properties}

        return [
            document(
                f"{base}/{name}", "Microsoft.Management/managementGroups", name, name.replace("-", " ").title(), parent
            )
            for name, parent in GROUPS.items()
            if parent in inside
        ] + [
            document(
                f"/subscriptions/{one.subscription_id}", "/subscriptions", one.subscription_id, one.name, one.group
            )
            for one in self.subscriptions.values()
            if one.group in inside and one.tenant_id == self.tenant_id
        ]

    def _find_counts(self, subscription: Subscription) -> dict[str, Counts]:
        """Return the counts that the controls show: today's, or those of some days ago where they drift behind."""
        past = self._past_counts.get(subscription.subscription_id.lower())
        return past[0] if past else subscription.counts

    def controls(self, subscription: Subscription, score_name: str, *, expand: bool) -> list[dict[str, object]]:
        """Return the secure score controls of a subscription, as the API writes them."""
        scope = f"/subscriptions/{subscription.subscription_id}/providers/Microsoft.Security/secureScores/{score_name}"
        documents: list[dict[str, object]] = []
        all_counts = self._find_counts(subscription)
        for definition in self.definitions:
            if definition.name not in all_counts:
                continue
            counts = all_counts[definition.name]
            maximum, current = compute_points(definition, counts)
            properties: dict[str, object] = {
                "displayName": definition.display_name,
                "healthyResourceCount": counts.healthy,
                "unhealthyResourceCount": counts.unhealthy,
                "notApplicableResourceCount": counts.not_applicable,
                "score": _score(maximum, current),
            }
            if expand:
                properties["definition"] = definition.document
            properties["weight"] = counts.weight
            documents.append(
                {
                    "id": f"{scope}/secureScoreControls/{definition.name}",
                    "name": definition.name,
                    "type": "Microsoft.Security/secureScores/secureScoreControls",
                    "properties": properties,
                }
            )
        return documents

    def scores(self, subscription: Subscription) -> list[dict[str, object]]:
        """Return the secure scores of a subscription: one, or two where governance grants grace."""
        names = {"ascScore": "ASC score"}
        if subscription.state is State.GRACE:
            names["ascScoreGrace"] = "Secure score grace excluded"
        all_counts = self._find_counts(subscription)
        points = [
            (counts.weight, *compute_points(definition, counts))
            for definition in self.definitions
            if (counts := all_counts.get(definition.name)) is not None
        ]
        maximum = sum(maximum for _, maximum, _ in points)
        current = sum((current for _, _, current in points), Decimal(0))
        weight = sum(weight * maximum for weight, maximum, _ in points)
        scope = f"/subscriptions/{subscription.subscription_id}/providers/Microsoft.Security/secureScores"
        return [
            {
                "id": f"{scope}/{name}",
                "name": name,
                "type": "Microsoft.Security/secureScores",
                "properties": {"displayName": title, "score": _score(maximum, current), "weight": weight},
            }
            for name, title in names.items()
        ]


def _reorganize(subscription: Subscription, chance: random.Random) -> None:
    """Move a subscription, now and then, to another team: its name, tags and management group change."""
    if chance.random() < 1 / 300 and subscription.state is not State.UNSUPPORTED:
        team = chance.choice(_TEAMS)
        subscription.name = f"{team}-{subscription.tags['stage']}-{subscription.subscription_id[:4]}"
        subscription.tags = {**subscription.tags, "team": team, "owner": f"{team}@example.com"}
        subscription.group = chance.choice(tuple(GROUPS))


def _score(maximum: int, current: Decimal) -> dict[str, object]:
    """Return a score as the API writes it: an integer, and two numbers that always have a point."""
    percentage = (current / maximum).quantize(Decimal("0.0001"), ROUND_HALF_EVEN) if maximum else Decimal(0)
    return {"max": maximum, "current": float(current), "percentage": float(percentage)}
