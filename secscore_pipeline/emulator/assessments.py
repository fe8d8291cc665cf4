"""Assessments as Microsoft.Security writes them: one recommendation on one resource, in the oddities of the wire."""

import uuid
import zlib
from collections.abc import Collection
from datetime import timedelta
from functools import cache
from typing import NamedTuple
from urllib.parse import quote

from secscore_pipeline.emulator.controls import BIRTHDAY, NAMESPACE
from secscore_pipeline.emulator.recommendations import DATED, VERSIONS, Recommendation
from secscore_pipeline.emulator.resources import Assessment, Health

_REASONS: tuple[dict[str, str], ...] = (
    {"cause": "OffByPolicy", "description": "The policy of this recommendation is disabled"},
    {"cause": "Exempt", "description": "Exempt by a policy exemption of the category Waiver (waiver)"},
    {"cause": "Exempt", "description": "Exempt by a policy exemption of the category Mitigated (mitigated)"},
    {"cause": "MissingDataOrUnsupported", "description": "Data is missing, or the resource is not supported"},
    {"cause": "NA", "description": "NA"},
    {"cause": "UnsupportedPricingPlan", "description": "The plan of the resource is not supported"},
    {},
)
"""Why an assessment is not applicable."""

_OTHER_REASONS = {
    (Health.HEALTHY, "52901099-235c-4971-b9d5-a33fca3a936e", 0): {
        "cause": "JitIsEnabled", "description": "Just-in-time access is on",
    },
    (Health.UNHEALTHY, "52901099-235c-4971-b9d5-a33fca3a936e", 1): {
        "cause": "ManagementPortsAreOpenToAllSources", "description": "Any source can reach a management port",
    },
}  # fmt: skip
"""Causes of what is healthy or unhealthy: by the state, and the key's control and number there."""

_REASON_OF_KEY = {
    (health, str(uuid.uuid5(NAMESPACE, f"{control}/{number}"))): reason
    for (health, control, number), reason in _OTHER_REASONS.items()
}

_PORTAL = "https://portal.azure.com/#blade/Microsoft_Azure_Security/RecommendationsBlade"

_CODES = ("Healthy", "Unhealthy", "NotApplicable")

_TICKS_OF_A_MORNING = 4 * 3600 * 10_000_000
"""States change in the first four hours of a day, in ticks of 100 ns."""

_RISK_FACTORS = ("Internet exposure", "Sensitive data", "Lateral movement", "Critical resource")


class _Status(NamedTuple):
    """The state of an assessment, and the days, since the world began, of the first evaluation and the last change."""

    health: Health
    first_day: int
    last_day: int


def describe(
    subscription_id: str, assessment: Assessment, version: str, expanded: Collection[str] = ()
) -> dict[str, object]:
    """Return an assessment as a version of the API writes it.

    Args:
        subscription_id: whose it is.
        assessment: the recommendation and the resource.
        version: of `recommendations.VERSIONS`.
        expanded: what to add to what the list has: `links`, `metadata`.
    """
    resource, recommendation = assessment.resource, assessment.recommendation
    chance = zlib.crc32(f"{subscription_id}/{resource.kind}/{resource.number}/{recommendation.key}".encode())
    status = _find_status(assessment, chance)
    resource_id = _spell(assessment, subscription_id)
    identifier = f"{resource_id}/providers/Microsoft.Security/assessments/{recommendation.key}"
    properties: dict[str, object] = {
        "resourceDetails": _describe_resource(subscription_id, assessment, resource_id),
        "displayName": recommendation.display_name,
        "status": _describe_status(assessment, status, chance, version),
    }
    additional = _describe_more(subscription_id, recommendation, chance, identifier)
    if additional:
        properties["additionalData"] = additional
    if "links" in expanded:
        place = f"assessmentKey/{recommendation.key}/resourceId/{quote(resource_id, safe='')}"
        properties["links"] = {"azurePortalUri": f"{_PORTAL}/{place}"}
    if "metadata" in expanded and recommendation.has_metadata:
        properties["metadata"] = recommendation.properties(version)
    if version == VERSIONS[-1] and chance % 5 < 3:
        properties["risk"] = _describe_risk(recommendation, status.health, chance)
    return {
        "type": "Microsoft.Security/assessments",
        "id": identifier,
        "name": recommendation.key,
        "properties": properties,
    }


def _find_status(assessment: Assessment, chance: int) -> _Status:
    """Return the state: the resource's where the assessment is decisive, otherwise the same or better."""
    first = assessment.history[0][0]
    if not assessment.is_decisive and chance % 12 == 0:
        return _Status(Health.NOT_APPLICABLE, first, first)
    last = _Status(Health.HEALTHY, first, first)
    for day, health in assessment.history:
        if health is Health.UNHEALTHY and not assessment.is_decisive and zlib.crc32(b"%d" % day, chance) % 2:
            health = Health.HEALTHY
        if day == first or health is not last.health:
            last = _Status(health, first, day)
    return last


def _describe_status(assessment: Assessment, status: _Status, chance: int, version: str) -> dict[str, object]:
    reason = _REASON_OF_KEY.get((status.health, assessment.recommendation.key), {})
    if status.health is Health.NOT_APPLICABLE:
        reason = _REASONS[chance % len(_REASONS)]
    described: dict[str, object] = {"code": _CODES[status.health], **reason}
    if version in DATED and chance % 7:
        first = _format_time(status.first_day - (chance % 300 if status.first_day == 0 else 0), chance)
        described["firstEvaluationDate"] = first
        changed = status.last_day != status.first_day
        described["statusChangeDate"] = _format_time(status.last_day, chance) if changed else first
    return described


def _format_time(day: int, chance: int) -> str:
    """Return an instant of a day as .NET writes it, with seven decimals."""
    ticks = zlib.crc32(b"%d" % day, chance) * 41 % _TICKS_OF_A_MORNING
    seconds, fraction = divmod(ticks, 10_000_000)
    return f"{BIRTHDAY + timedelta(days=day)}T{timedelta(seconds=seconds)!s:0>8}.{fraction:07}Z"


def _spell(assessment: Assessment, subscription_id: str) -> str:
    """Return the id of a resource as one recommendation spells it."""
    identifier = assessment.resource.id(subscription_id)
    spelling = assessment.recommendation.number % 4
    if spelling < 2 or "/resourceGroups/" not in identifier:
        return identifier
    if spelling == 2:
        base, _, rest = identifier.partition("/resourceGroups/")
        group, _, rest = rest.partition("/")
        return f"{base}/resourceGroups/{group.upper()}/{rest}"
    return identifier.lower()


def _describe_resource(subscription_id: str, assessment: Assessment, identifier: str) -> dict[str, object]:
    resource = assessment.resource
    if resource.kind == "aws":
        name = resource.name(subscription_id)
        return {
            "Source": "Aws",
            "ConnectorId": _make_guid(f"{subscription_id}/connector"),
            "AwsResourceId": f"arn:aws:ec2:eu-west-1:123456789012:instance/{name.removeprefix('aws-ec2-instance-')}",
            "AzureResourceId": identifier,
        }
    details: dict[str, object] = {"Source": "Azure", "Id": identifier}
    if assessment.recommendation.number % 3 == 0:
        provider, _, path = identifier.rpartition("/providers/")[2].partition("/")
        details["ResourceName"] = resource.name(subscription_id)
        if resource.kind != "subscription":
            details["ResourceType"] = "/".join(path.split("/")[::2])
            details["ResourceProvider"] = provider
        details["NativeResourceId"] = identifier
    return details


def _describe_more(
    subscription_id: str, recommendation: Recommendation, chance: int, identifier: str
) -> dict[str, str]:
    """Return what is said beyond the status: texts only, also for what is none."""
    if recommendation.assessment_type == "DynamicBuiltIn":
        version = f"{chance % 9}.{chance % 7}"
        return {
            "DetectedSoftwareVersions": f'["{version}"]', "FixedVersion": f"{version}.1",
            "CvesDetails": f'[{{"CVE":"CVE-2025-{chance % 90_000 + 10_000}","Severity":"High"}}]',
        }  # fmt: skip
    if recommendation.kind == "web" and chance % 2:
        return {"Kind": "WebApp"}
    if recommendation.kind == "vnet":
        return {"ddosProtectionState": "False", "appGatewaysCount": str(chance % 3), "appGatewaysHasPublicIp": "True"}
    link = {"subAssessmentsLink": f"{identifier}/subAssessments"}
    if recommendation.kind in ("registry", "container") and "R" in recommendation.threats:
        return {"Tags": f'["v{chance % 9}"]', "CVEs": f'[{{"CVE":"CVE-2025-{chance % 9000 + 1000}"}}]', **link}
    if recommendation.kind == "sqldb":
        return link
    if recommendation.kind == "vm" and recommendation.number % 3 == 0:
        return {
            "OS Type": ("Windows", "Linux")[chance % 2],
            "Reporting workspace customer id": _make_guid(f"{subscription_id}/workspace"),
        }
    return {}


@cache
def _make_guid(text: str) -> str:
    return str(uuid.uuid5(NAMESPACE, text))


def _describe_risk(recommendation: Recommendation, health: Health, chance: int) -> dict[str, object]:
    is_risky = health is Health.UNHEALTHY and chance % 4 > 0
    critical = recommendation.severity == "High" and chance % 6 == 0
    level = "Critical" if critical else recommendation.severity
    factors = [factor for number, factor in enumerate(_RISK_FACTORS) if chance >> (8 + number) & 1]
    return {
        "level": level if is_risky else "None",
        "riskFactors": factors if is_risky else [],
        "attackPathsReferences": [str(uuid.uuid5(NAMESPACE, f"path/{chance}"))] if is_risky and chance % 9 == 0 else [],
        "paths": [],
        "isContextualRisk": is_risky,
    }


def is_at(assessment: Assessment, subscription_id: str, resource_id: str, key: str) -> bool:
    """Tell whether an assessment is the one with a key on a resource; case does not matter."""
    return (
        assessment.recommendation.key == key.lower()
        and assessment.resource.id(subscription_id).lower() == resource_id.lower()
    )
