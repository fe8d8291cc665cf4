"""The simulated recommendations: their keys, texts and metadata, and which control counts which of them."""

import uuid
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from secscore_pipeline.emulator.controls import NAMESPACE, Definition
from secscore_pipeline.emulator.recommendation_texts import GENERATED, OF_CONTROLS, OF_NO_CONTROL, PREVIEWS

VERSIONS = ("2020-01-01", "2021-06-01", "2025-05-04")
"""The api-versions of assessments and their metadata, oldest first."""

DATED = VERSIONS[1:]
"""Those that have dates: of assessments, and of the publication of metadata."""

THREATS = {
    "A": "AccountBreach",
    "X": "DataExfiltration",
    "S": "DataSpillage",
    "I": "MaliciousInsider",
    "E": "ElevationOfPrivilege",
    "R": "ThreatResistance",
    "M": "MissingCoverage",
    "D": "DenialOfService",
}
"""Threats by their initial, in the case of the wire, which is not that of the specification."""

_ATTACKS = {
    "A": ("Credential Access", ("Brute Force", "Valid Accounts")),
    "X": ("Exfiltration", ("Exfiltration Over Web Service",)),
    "S": ("Collection", ("Data from Cloud Storage",)),
    "I": ("Persistence", ("Account Manipulation",)),
    "E": ("Privilege Escalation", ("Exploitation for Privilege Escalation",)),
    "R": ("Execution", ("User Execution",)),
    "M": ("Defense Evasion", ("Impair Defenses",)),
    "D": ("Impact", ("Network Denial of Service",)),
}
"""Tactics and techniques of MITRE ATT&CK by a threat's initial."""

_CATEGORIES = {
    "Networking": ("vnet", "subnet", "ip"),
    "Data": ("storage", "sql", "sqldb", "redis"),
    "IdentityAndAccess": ("identity", "role", "keyvault", "subscription"),
}

_PREVIEWS_IN_CONTROLS = {
    ("99fc8df2-e0f5-40f8-9415-a7f7ca948b5a", 2),
    ("8fd574ec-43cf-426e-a439-a67cbaf2d564", 3),
    ("12136bd9-dc24-44f2-9587-7be3af6aac14", 2),
}
"""Keys that a control lists and does not count, since they are previews: the control, and their number there."""

_WITHOUT_METADATA = {
    ("61702b76-1fab-41f2-bcbc-50b7870dcf38", 4),
    ("f9d5432b-8f7b-45e9-b90c-e214a30f6a02", 1),
    ("a000c66f-6da2-4f9d-826d-2364347d2588", 1),
    ("27b24961-75ba-4fe4-8909-97286d5dd5ee", 7),
    ("76763537-9feb-42d3-b4f4-78c01117be80", 9),
}
"""Keys of controls whose metadata is not listed: the control, and their number there."""

_CUSTOM_KINDS = ("vm", "storage", "web")


@dataclass(frozen=True)
class Recommendation:
    """One recommendation: what is assessed on each resource of a kind.

    Attributes:
        kind: the kind of resource, of `resources.KINDS`.
        threats: their initials.
        steps: of the remediation.
        has_metadata: whether the metadata is listed.
    """

    key: str
    kind: str
    severity: str
    user_impact: str
    effort: str
    threats: str
    display_name: str
    description: str
    steps: tuple[str, ...]
    assessment_type: str = "BuiltIn"
    is_preview: bool = False
    has_metadata: bool = True
    number: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "number", zlib.crc32(self.key.encode()))

    def document(self, version: str) -> dict[str, object]:
        """Return the metadata as the API writes it in a version."""
        return {
            "id": f"/providers/Microsoft.Security/assessmentMetadata/{self.key}",
            "name": self.key,
            "type": "Microsoft.Security/assessmentMetadata",
            "properties": self.properties(version),
        }

    def properties(self, version: str) -> dict[str, object]:
        """Return the properties of the metadata, as an assessment that is expanded shows them too."""
        properties: dict[str, object] = {
            "displayName": self.display_name,
            "assessmentType": self.assessment_type,
            **self._policy(),
            "description": self.description if self.number % 13 else "",
            "remediationDescription": self._remediation(),
            "categories": [next((name for name, kinds in _CATEGORIES.items() if self.kind in kinds), "Compute")],
        }
        if self.is_preview:
            properties["preview"] = True
        properties["severity"] = self.severity
        properties["userImpact"] = self.user_impact
        properties["implementationEffort"] = self.effort
        properties["threats"] = [THREATS[initial] for initial in self.threats]
        if version in DATED:
            properties |= self._dates_and_attacks()
        return properties

    def _policy(self) -> dict[str, object]:
        """Return the id of the policy behind it, which not all have, in one of the two spellings of the wire.

        Recommendations of one name are of one policy.
        """
        chance = zlib.crc32(self.display_name.encode())
        if self.assessment_type == "CustomerManaged" or chance % 5 == 0:
            return {}
        spelling = ("Microsoft.Authorization/policyDefinitions", "microsoft.authorization/policydefinitions")[
            chance % 2
        ]
        policy = self.key if chance % 11 == 0 else uuid.uuid5(NAMESPACE, f"policy/{self.display_name}")
        return {"policyDefinitionId": f"/providers/{spelling}/{policy}"}

    def _remediation(self) -> str:
        """Return the steps as HTML of one of the forms that the wire has."""
        form = self.number % 8
        if form == 0:
            return ""
        if form == 1:
            return f"<ol>{''.join(f'<li>{step}</li>' for step in self.steps)}</ol>"
        lines = [f"{number}. {step}" for number, step in enumerate(self.steps, 1)]
        if form == 2:
            return "&lt;br&gt;".join(["To remediate:", *lines])
        if form == 3:
            return "<br>\n".join(["To remediate:", *lines])
        link = ' in the <a href="https://portal.azure.com">Azure portal</a>' if form == 4 else ""
        return "<br>".join([f"To remediate{link}:", *lines])

    def _dates_and_attacks(self) -> dict[str, object]:
        published = date(2020, 1, 1) + timedelta(days=self.number % 2000)
        dates = {"public": f"{published:%m/%d/%Y}"}
        if not self.is_preview:
            dates = {"GA": f"{published + timedelta(days=90):%m/%d/%Y}", **dates}
        attacks = [_ATTACKS[initial] for initial in self.threats]
        return {
            "publishDates": dates,
            **({"plannedDeprecationDate": "03/2027"} if self.number % 17 == 0 else {}),
            "tactics": [tactic for tactic, _ in attacks],
            "techniques": [technique for _, techniques in attacks for technique in techniques],
        }


class Catalogue:
    """All recommendations of a tenant.

    Attributes:
        counted: of each control, by its definition's name: those that it counts and no other control does, by kind.
        shared: of each control: those that it counts although they are another control's, with that one's name.
        others: those that no control counts, by kind.

    Args:
        definitions: the controls.
    """

    def __init__(self, definitions: Iterable[Definition]) -> None:
        definitions = tuple(definitions)
        found = {definition.name: list(_read_control(definition)) for definition in definitions}
        owners = {one.key: (name, one) for name, recommendations in found.items() for one in recommendations}
        self._all = {key: one for key, (_, one) in owners.items()}
        self.shared = {one.name: [owners[key] for key in one.shared_keys] for one in definitions if one.shared_keys}
        taken = {one.key for shared in self.shared.values() for _, one in shared}
        self.counted: dict[str, dict[str, list[Recommendation]]] = {}
        self.others: dict[str, list[Recommendation]] = {}
        for name, recommendations in found.items():
            counted = self.counted.setdefault(name, {})
            for one in recommendations:
                if one.key not in taken:
                    (self.others if one.is_preview else counted).setdefault(one.kind, []).append(one)
        for one in _read_others():
            self._all[one.key] = one
            self.others.setdefault(one.kind, []).append(one)

    def tenant_documents(self, version: str) -> list[dict[str, object]]:
        """Return the metadata that belongs to no subscription."""
        return [one.document(version) for one in self._all.values() if one.has_metadata and not _is_custom(one)]

    def subscription_documents(self, subscription_id: str, version: str) -> list[dict[str, object]]:
        """Return the metadata that a subscription has: the tenant's, and custom ones."""
        custom = [one for one in self._all.values() if _is_custom(one)]
        custom.append(make_own(subscription_id))
        return self.tenant_documents(version) + [one.document(version) for one in custom]


def _is_custom(recommendation: Recommendation) -> bool:
    return recommendation.assessment_type == "CustomPolicy"


def make_own(subscription_id: str) -> Recommendation:
    """Return the recommendation that somebody has added to a subscription through the API."""
    key = uuid.uuid5(NAMESPACE, f"recommendation/{subscription_id.lower()}")
    return Recommendation(
        str(key), "subscription", "Medium", "Low", "Low", "", "The subscription should have passed our own review",
        "A check of our own organization.", ("Ask for the review",), "CustomerManaged",
    )  # fmt: skip


def _read_control(definition: Definition) -> Iterator[Recommendation]:
    text = OF_CONTROLS.get(definition.name)
    if text is None:
        for number, key in enumerate(definition.keys):
            yield Recommendation(
                key, _CUSTOM_KINDS[number % len(_CUSTOM_KINDS)], "Medium", "Low", "Low", "",
                f"{definition.display_name}: requirement {number + 1} should be met",
                "A requirement of our own policy.", ("Read the policy", "Change the resource"), "CustomPolicy",
            )  # fmt: skip
        return
    for number, (key, values) in enumerate(zip(definition.keys, _read(text), strict=True)):
        place = (definition.name, number)
        yield Recommendation(
            key, *values, is_preview=place in _PREVIEWS_IN_CONTROLS, has_metadata=place not in _WITHOUT_METADATA
        )


def _read_others() -> Iterator[Recommendation]:
    for text, is_preview in ((OF_NO_CONTROL, False), (PREVIEWS, True)):
        for values in _read(text):
            yield Recommendation(_make_key(values[5]), *values, is_preview=is_preview)
    for program in GENERATED:
        title = f"Update {program}"
        yield Recommendation(
            _make_key(title), "vm", "High", "Low", "Low", "R", title, "", (), "DynamicBuiltIn", has_metadata=False
        )


def _make_key(title: str) -> str:
    return str(uuid.uuid5(NAMESPACE, f"recommendation/{title}"))


def _read(text: str) -> Iterator[tuple[str, str, str, str, str, str, str, tuple[str, ...]]]:
    """Yield what the texts say of each recommendation: the fields from `kind` to `steps`."""
    lines = text.strip().splitlines()
    for head, description, steps in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        about, title = head.split(": ", 1)
        kind, severity, impact, effort, threats = about.split()
        yield kind, severity, impact, effort, threats, title, description, tuple(steps.split("; "))
