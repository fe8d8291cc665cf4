"""The controls of a secure score: their definitions, the resources they count, and how those change in a day."""

import random
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cached_property

NAMESPACE = uuid.UUID("8f2ff5a2-42d9-4f0c-8b7c-6b8c3d3f8f10")
"""Where the simulated GUIDs come from."""


@dataclass(frozen=True)
class Definition:
    """A secure score control definition: its GUID, name, maximum, the assessments it is made of, and who made it.

    Attributes:
        shared_keys: keys of assessments that it lists although they are another control's.
    """

    name: str
    display_name: str
    max_score: int
    assessments: int
    source_type: str = "BuiltIn"
    shared_keys: tuple[str, ...] = ()

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The keys of its own assessments."""
        return tuple(str(uuid.uuid5(NAMESPACE, f"{self.name}/{number}")) for number in range(self.assessments))

    @cached_property
    def document(self) -> dict[str, object]:
        """The definition as the API writes it."""
        return {
            "id": f"/providers/Microsoft.Security/secureScoreControlDefinitions/{self.name}",
            "name": self.name,
            "type": "Microsoft.Security/secureScoreControlDefinitions",
            "properties": {
                "source": {"sourceType": self.source_type},
                "displayName": self.display_name,
                "maxScore": self.max_score,
                "assessmentDefinitions": [
                    {"id": f"/providers/Microsoft.Security/assessmentMetadata/{key}"}
                    for key in (*self.keys, *self.shared_keys)
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
"""The day on which every world is as its seed makes it; it lives on from there."""

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

    def scale(self, ratio: float) -> "Counts":
        """Return counts that are larger by a ratio."""
        return Counts(round(self.healthy * ratio), round(self.unhealthy * ratio), round(self.not_applicable * ratio))


def make_custom_definition(number: int) -> Definition:
    """Return the definition of the tenant's own control of this number."""
    name = str(uuid.uuid5(NAMESPACE, f"custom control/{number}"))
    return Definition(name, f"Custom control {number}", 0, 3, "Custom")


_SHARED = (
    ("52901099-235c-4971-b9d5-a33fca3a936e", 1, "f9d5432b-8f7b-45e9-b90c-e214a30f6a02"),
    ("05daab2e-f074-4601-ac10-aadf5c9c50f6", 0, "61702b76-1fab-41f2-bcbc-50b7870dcf38"),
    ("99fc8df2-e0f5-40f8-9415-a7f7ca948b5a", 0, "76763537-9feb-42d3-b4f4-78c01117be80"),
)
"""Keys that a second control can list: the control they belong to, their number there, and the second control."""

MOST_SHARED = len(_SHARED)


def share_keys(definitions: Iterable[Definition], number: int) -> tuple[Definition, ...]:
    """Let so many keys, at most MOST_SHARED, be listed by a second control too."""
    definitions = tuple(definitions)
    keys = {definition.name: definition.keys for definition in definitions}
    extra = {second: keys[owner][place] for owner, place, second in _SHARED[:number]}
    return tuple(
        replace(definition, shared_keys=(extra[definition.name],)) if definition.name in extra else definition
        for definition in definitions
    )


def draw_counts(chance: random.Random, size: int) -> Counts:
    """Return counts for one control; a control without resources that count is not rare."""
    if chance.random() < 0.1:
        return Counts(0, 0, chance.randint(1, size))
    total = chance.randint(1, size)
    healthy = round(total * min(1.0, chance.betavariate(4, 2) + (0.3 if chance.random() < 0.3 else 0)))
    return Counts(healthy, total - healthy, chance.randint(0, size // 3))


def live_a_day(
    counts: dict[str, Counts], definitions: Iterable[Definition], chance: random.Random, changing: float = CHANGING
) -> None:
    """Let one day pass in a subscription: most controls stay as they are, and more is fixed than broken.

    Args:
        counts: those of each control by its definition's name, which are replaced.
        definitions: the controls that may appear.
        chance: the day's dice.
        changing: the share of controls that change.
    """
    for name, before in list(counts.items()):
        if chance.random() >= changing:
            continue
        event = chance.random()
        some = chance.randint(1, 1 + before.weight // 8)
        fixed, broken = min(some, before.unhealthy), min(some, before.healthy)
        if event < 0.45:
            counts[name] = replace(before, healthy=before.healthy + fixed, unhealthy=before.unhealthy - fixed)
        elif event < 0.65:
            counts[name] = replace(before, healthy=before.healthy - broken, unhealthy=before.unhealthy + broken)
        elif event < 0.8:
            counts[name] = replace(before, unhealthy=before.unhealthy + some)
        elif event < 0.9:
            counts[name] = replace(before, healthy=before.healthy + some)
        elif event < 0.98:
            counts[name] = replace(before, unhealthy=before.unhealthy - fixed)
        else:
            del counts[name]
    missing = [definition.name for definition in definitions if definition.name not in counts]
    if missing and chance.random() < 0.1:
        counts[chance.choice(missing)] = draw_counts(chance, 12)


def compute_points(definition: Definition, counts: Counts) -> tuple[int, Decimal]:
    """Return maximum and current points: current = max x healthy / (healthy + unhealthy), to two digits."""
    if counts.weight == 0:
        return 0, Decimal(0)
    current = Decimal(definition.max_score) * counts.healthy / counts.weight
    return definition.max_score, current.quantize(Decimal("0.01"), ROUND_HALF_EVEN)
