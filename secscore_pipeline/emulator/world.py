"""The simulated tenant: subscriptions with resources, and the scores computed from them. No HTTP."""

import random
import uuid
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from functools import cached_property

API_VERSION = "2020-01-01"

_NAMESPACE = uuid.UUID("8f2ff5a2-42d9-4f0c-8b7c-6b8c3d3f8f10")


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


@dataclass(frozen=True)
class Definition:
    """A secure score control definition: its GUID, name, maximum, the assessments it is made of, and who made it."""

    name: str
    display_name: str
    max_score: int
    assessments: int
    source_type: str = "BuiltIn"

    @cached_property
    def document(self) -> dict[str, object]:
        """The definition as the API writes it."""
        ids = [uuid.uuid5(_NAMESPACE, f"{self.name}/{number}") for number in range(self.assessments)]
        return {
            "id": f"/providers/Microsoft.Security/secureScoreControlDefinitions/{self.name}",
            "name": self.name,
            "type": "Microsoft.Security/secureScoreControlDefinitions",
            "properties": {
                "source": {"sourceType": self.source_type},
                "displayName": self.display_name,
                "maxScore": self.max_score,
                "assessmentDefinitions": [
                    {"id": f"/providers/Microsoft.Security/assessmentMetadata/{uid}"} for uid in ids
                ],
            },
        }


DEFINITIONS = (
    Definition("34a42fb3-e6db-409c-b56b-7b1db6b8aee0", "Enable MFA", 10, 3),
    Definition("52901099-235c-4971-b9d5-a33fca3a936e", "Secure management ports", 8, 3),
    Definition("61702b76-1fab-41f2-bcbc-50b7870dcf38", "Apply system updates", 6, 5),
    Definition("05daab2e-f074-4601-ac10-aadf5c9c50f6", "Remediate vulnerabilities", 6, 6),
    Definition("99fc8df2-e0f5-40f8-9415-a7f7ca948b5a", "Remediate security configurations", 4, 8),
    Definition("2d85f639-0bea-4a4a-b6c6-608952a1414a", "Manage access and permissions", 4, 7),
    Definition("8fd574ec-43cf-426e-a439-a67cbaf2d564", "Enable encryption at rest", 4, 5),
    Definition("0e55495e-034f-4abc-8293-767229250176", "Encrypt data in transit", 4, 7),
    Definition("f9d5432b-8f7b-45e9-b90c-e214a30f6a02", "Restrict unauthorized network access", 4, 9),
    Definition("a000c66f-6da2-4f9d-826d-2364347d2588", "Apply adaptive application control", 3, 2),
    Definition("a9909064-42b4-4d34-8143-275477afe18b", "Protect applications against DDoS attacks", 2, 3),
    Definition("12136bd9-dc24-44f2-9587-7be3af6aac14", "Enable endpoint protection", 2, 4),
    Definition("27b24961-75ba-4fe4-8909-97286d5dd5ee", "Enable auditing and logging", 1, 10),
    Definition("4db8d6cf-075b-4149-a813-da09ca2ae120", "Enable enhanced security features", 0, 6),
    Definition("76763537-9feb-42d3-b4f4-78c01117be80", "Implement security best practices", 0, 12),
)
"""Microsoft's own controls."""


BIRTHDAY = date(2026, 1, 1)
"""The day on which every world is as its seed makes it; the simulation goes on from there."""

CHANGING = 0.12
"""The share of controls that change on a day."""


@dataclass(frozen=True)
class Counts:
    """How many resources a control found healthy, unhealthy and not applicable."""

    healthy: int
    unhealthy: int
    not_applicable: int

    @property
    def weight(self) -> int:
        """The control's weight: the resources that count."""
        return self.healthy + self.unhealthy


ROOT_GROUP = "root"

GROUPS = {"root": None, "platform": "root", "landing-zones": "root", "corp": "landing-zones", "online": "landing-zones"}
"""The management groups, each with the one it lies in."""

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
    """

    def __init__(self, seed: int = 1, subscriptions: int = 5, *, mixed: bool = False, custom_controls: int = 0) -> None:
        self.tenant_id = str(uuid.uuid5(_NAMESPACE, f"tenant/{seed}"))
        self.domain = f"contoso{seed}.onmicrosoft.com"
        self.seed = seed
        self.applications: dict[str, Application] = {}
        self.subscriptions: dict[str, Subscription] = {}
        custom = (_custom_definition(number) for number in range(1, 1 + custom_controls))
        self.definitions: tuple[Definition, ...] = (*DEFINITIONS, *custom)
        self.today = BIRTHDAY
        special = [State.GRACE, State.UNSCORED, State.FORBIDDEN] if mixed else []
        for number in range(subscriptions):
            left = subscriptions - number
            state = special[left - 1] if left <= len(special) < subscriptions else State.NORMAL
            self.add_subscription(str(uuid.uuid5(_NAMESPACE, f"subscription/{seed}/{number}")), state)

    def is_tenant(self, name: str) -> bool:
        """Return whether a GUID or domain, in any case, names the tenant."""
        return name.lower() in (self.tenant_id, self.domain)

    def add_customer(self, subscriptions: int = 1) -> str:
        """Add a customer's tenant that has delegated subscriptions to this one by Azure Lighthouse; return its id."""
        number = len({one.tenant_id for one in self.subscriptions.values()} | {self.tenant_id})
        tenant_id = str(uuid.uuid5(_NAMESPACE, f"customer/{self.seed}/{number}"))
        for place in range(subscriptions):
            identifier = str(uuid.uuid5(_NAMESPACE, f"subscription/{tenant_id}/{place}"))
            self.add_subscription(identifier).tenant_id = tenant_id
        return tenant_id

    def add_subscription(self, subscription_id: str, state: State = State.NORMAL) -> Subscription:
        """Add a subscription with seeded resources."""
        chance = random.Random(f"{self.seed}/{subscription_id}")  # noqa: S311 - a simulation
        size = chance.choice((3, 12, 40, 150))
        counts = {definition.name: _seed_random(chance, size) for definition in self.definitions}
        naming = random.Random(f"{self.seed}/{subscription_id}/name")  # noqa: S311 - a simulation
        team, stage = naming.choice(_TEAMS), naming.choice(_STAGES)
        subscription = Subscription(
            subscription_id,
            state,
            counts,
            name=f"{team}-{stage}-{subscription_id[:4]}",
            tags={"team": team, "stage": stage, "owner": f"{team}@example.com"},
            group=naming.choice(tuple(GROUPS)),
            tenant_id=self.tenant_id,
        )
        if state is State.UNSUPPORTED:
            subscription.name, subscription.tags = "Access to Azure Active Directory", {}
        self.subscriptions[subscription_id.lower()] = subscription
        return subscription

    def simulate_until(self, day: date) -> None:
        """Simulate each day up to `day`; the same seed makes the same days, and an earlier day changes nothing.

        Resources come and go, get fixed and broken; controls are added, retired and re-weighted; subscriptions appear.
        """
        while self.today < day:
            self.today += timedelta(days=1)
            for subscription in self.subscriptions.values():
                seed = f"{self.seed}/{subscription.subscription_id}/{self.today}"
                _simulate_day(subscription, self.definitions, random.Random(seed))  # noqa: S311 - a simulation
                _reorganize(subscription, random.Random(f"{seed}/name"))  # noqa: S311 - a simulation
            chance = random.Random(f"{self.seed}/{self.today}")  # noqa: S311 - a simulation
            if chance.random() < 1 / 60:
                chosen = chance.choice(self.definitions)
                heavier = max(1, chosen.max_score + chance.choice((-1, 1)))
                self.definitions = tuple(
                    replace(definition, max_score=heavier) if definition is chosen and chosen.max_score else definition
                    for definition in self.definitions
                )
            if chance.random() < 1 / 45:
                self.add_subscription(str(uuid.uuid5(_NAMESPACE, f"subscription/{self.seed}/{self.today}")))

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

    def controls(self, subscription: Subscription, score_name: str, *, expand: bool) -> list[dict[str, object]]:
        """Return the secure score controls of a subscription, as the API writes them."""
        scope = f"/subscriptions/{subscription.subscription_id}/providers/Microsoft.Security/secureScores/{score_name}"
        documents: list[dict[str, object]] = []
        for definition in self.definitions:
            if definition.name not in subscription.counts:
                continue
            counts = subscription.counts[definition.name]
            maximum, current = _control_points(definition, counts)
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
        points = [
            (counts.weight, *_control_points(definition, counts))
            for definition in self.definitions
            if (counts := subscription.counts.get(definition.name)) is not None
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


def _custom_definition(number: int) -> Definition:
    name = str(uuid.uuid5(_NAMESPACE, f"custom control/{number}"))
    return Definition(name, f"Custom control {number}", 0, 3, "Custom")


def _seed_random(chance: random.Random, size: int) -> Counts:
    """Return counts for one control; a control without resources that count is not rare."""
    if chance.random() < 0.1:
        return Counts(0, 0, chance.randint(1, size))
    total = chance.randint(1, size)
    healthy = round(total * min(1.0, chance.betavariate(4, 2) + (0.3 if chance.random() < 0.3 else 0)))
    return Counts(healthy, total - healthy, chance.randint(0, size // 3))


def _simulate_day(subscription: Subscription, definitions: tuple[Definition, ...], chance: random.Random) -> None:
    """Simulate one day of a subscription: most controls stay as they are, and more is fixed than broken."""
    for name, counts in list(subscription.counts.items()):
        if chance.random() >= CHANGING:
            continue
        event = chance.random()
        some = chance.randint(1, 1 + counts.weight // 8)
        fixed, broken = min(some, counts.unhealthy), min(some, counts.healthy)
        if event < 0.45:
            subscription.counts[name] = replace(
                counts, healthy=counts.healthy + fixed, unhealthy=counts.unhealthy - fixed
            )
        elif event < 0.65:
            subscription.counts[name] = replace(
                counts, healthy=counts.healthy - broken, unhealthy=counts.unhealthy + broken
            )
        elif event < 0.8:
            subscription.counts[name] = replace(counts, unhealthy=counts.unhealthy + some)
        elif event < 0.9:
            subscription.counts[name] = replace(counts, healthy=counts.healthy + some)
        elif event < 0.98:
            subscription.counts[name] = replace(counts, unhealthy=counts.unhealthy - fixed)
        else:
            del subscription.counts[name]
    missing = [definition.name for definition in definitions if definition.name not in subscription.counts]
    if missing and chance.random() < 0.1:
        subscription.counts[chance.choice(missing)] = _seed_random(chance, 12)


def _reorganize(subscription: Subscription, chance: random.Random) -> None:
    """Move a subscription, now and then, to another team: its name, tags and management group change."""
    if chance.random() < 1 / 300 and subscription.state is not State.UNSUPPORTED:
        team = chance.choice(_TEAMS)
        subscription.name = f"{team}-{subscription.tags['stage']}-{subscription.subscription_id[:4]}"
        subscription.tags = {**subscription.tags, "team": team, "owner": f"{team}@example.com"}
        subscription.group = chance.choice(tuple(GROUPS))


def _control_points(definition: Definition, counts: Counts) -> tuple[int, Decimal]:
    """Return maximum and current points: current = max x healthy / (healthy + unhealthy), to two digits."""
    if counts.weight == 0:
        return 0, Decimal(0)
    current = Decimal(definition.max_score) * counts.healthy / counts.weight
    return definition.max_score, current.quantize(Decimal("0.01"), ROUND_HALF_EVEN)


def _score(maximum: int, current: Decimal) -> dict[str, object]:
    """Return a score as the API writes it: an integer, and two numbers that always have a point."""
    percentage = (current / maximum).quantize(Decimal("0.0001"), ROUND_HALF_EVEN) if maximum else Decimal(0)
    return {"max": maximum, "current": float(current), "percentage": float(percentage)}
