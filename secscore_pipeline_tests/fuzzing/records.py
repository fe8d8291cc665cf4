"""Strategies for JSON and for records of each event type: nearly right ones, of which some fields are something else."""

import copy
import json
import math
from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import strategies as st

TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ("\x1b[2J\x1b]8;;https://example.com\x07", "\u202etxet", "x" * 5000, "\x00", "a\r\nb", "<script>alert(1)</script>",
         "=cmd|' /C calc'!A0", "';drop table raw.fetches;--", "../../../etc/passwd", "${CREDENTIAL:plain}", "{}", "%s%n",
         "${CREDENTIAL:base64}", "${CREDENTIAL:percent-all}", "[red]x[/red]", "\ufeff", "NaN", "null")
    ),
)  # fmt: skip

NUMBERS = st.one_of(
    st.integers(),
    st.floats(allow_nan=False),
    st.sampled_from((2**31, 2**31 - 1, -(2**31) - 1, 2**63, 2**64, 10**30, 1e308, -1e308, 5e-324, 0.1 + 0.2, -0.0)),
)


FINITE = NUMBERS.filter(lambda number: abs(number) != math.inf)
"""Those that JSON has a numeral for."""


def _json_of(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=10,
    )


JSON = _json_of(NUMBERS | TEXTS)

PLAIN_TEXTS = TEXTS.filter(lambda text: "${" not in text)
"""What Azure itself may hold: a record that repeats a credential would be stored as it was received."""

PLAIN_JSON = _json_of(FINITE | PLAIN_TEXTS)

NUMERALS = st.one_of(
    FINITE.map(json.dumps),
    st.sampled_from(("1e400", "-1e400", "9" * 5000, "1" + "0" * 308, "0." + "0" * 400 + "1", '"1e308"', '"inf"', '"12"', "null",
                     "true", "{}", "2147483648", "1e-400", '"NaN"'))
)  # fmt: skip


def encoded(document: object) -> bytes:
    """Return JSON as bytes; half of a surrogate pair stays an escape."""
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace")


_ANY = st.one_of(
    PLAIN_JSON.map(encoded),
    NUMERALS.map(str.encode),
    # By escapes: a surrogate pair, and NUL; and names in two cases, or twice.
    st.sampled_from((b'"\\ud83d\\ude00"', b'"\\u0000"', b'{"Id": "a", "id": "b", "ID": 5}', b'{"id": "a", "id": "b"}', b'[{"a": 1}, "a"]')),
).map(msgspec.Raw)  # fmt: skip
"""The JSON text of anything."""

_SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000001"
_SCORE = f"{_SUBSCRIPTION}/providers/Microsoft.Security/secureScores/ascScore"
_KEYS = (
    "d57a4221-a804-52ca-3dea-768284f06bb7",
    "D57A4221-A804-52CA-3DEA-768284F06BB7",
    "1c5de8e1-f68d-6a17-e0d2-ec259c42768c",
)
_GUIDS = st.sampled_from(_KEYS)
"""Few, so that records share them; two are one but for their case."""

_RESOURCES = st.sampled_from(
    (
        _SUBSCRIPTION, f"{_SUBSCRIPTION}/resourceGroups/RG", f"{_SUBSCRIPTION}/resourcegroups/rg/providers/Microsoft.Storage/storageAccounts/a",
        f"{_SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/VM1/extensions/x",
        f"{_SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/r", "", "/", "//", "x", f"{_SUBSCRIPTION}/providers/Microsoft.Security",
        f"{_SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Security/securityConnectors/aws/securityentitydata/aws-ec2-instance-i-1",
        f"{_SUBSCRIPTION}/providers/Microsoft.Security/assessments/x/providers/Microsoft.Security/assessments/y", "arn:aws:s3:::bucket/ä",
    )
)  # fmt: skip

_DATES = st.sampled_from(
    (
        "2025-08-26T07:29:51.8002401Z", "2025-08-26T07:29:51", "2025-08-26", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z",
        "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "1999-12-31T00:00:00Z", "2300-01-01T00:00:00Z", "294247-01-10", "infinity", "-infinity",
        "epoch", "now", "today", "2025-13-45T99:99:99Z", "2025-08-26T07:29:51+99:99", "2025-08-26 07:29:51 Europe/Berlin", "08/2025", "",
        "0044-03-15 (BC)", "1756193391", "2025-02-30T00:00:00Z", "\u0662\u0660\u0662\u0665-\u0660\u0661-\u0660\u0661",
    )
)  # fmt: skip

_HTML = st.one_of(
    PLAIN_TEXTS,
    st.sampled_from(
        ("", "To fix:<br>\n1. Open &lt;b&gt;", "&lt;br&gt;", "&amp;lt;br&amp;gt;", "<p>a<p style='padding-left:9999999em'>b", "<!-- -->",
         "<?xml version='1.0' encoding='utf-16'?><p>x", "<div>" * 5000, "<ul><li>" * 2000, "<table><tr><td>" * 300 + "x", "<![CDATA[x", "<", "<a",
         "<td colspan=99999999>x", "<a href='javascript:alert(1)'>x</a>", "&#0;&#xD800;&#x110000;", "<style>x", "<script>alert(1)", "<p\0>",
         "<!DOCTYPE x [<!ENTITY a 'aa'>]><p>&a;", "<ol start=x><li>y", "<pre>  x\n\n\n\ny</pre>", "<title>x</title>")
    ),
)  # fmt: skip

_NAMES = st.sampled_from(("Storage should be encrypted", "[Preview] A", "A (Preview)", "<b>A</b>", "")) | PLAIN_TEXTS


def _some_of(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def _list_of(*words: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(words), max_size=3)


_NUMERALS = NUMERALS.map(lambda numeral: msgspec.Raw(numeral.encode()))
_COUNTS = _some_of(
    healthyResourceCount=_NUMERALS,
    unhealthyResourceCount=st.integers(0, 5) | _NUMERALS,
    notApplicableResourceCount=_NUMERALS,
    weight=_NUMERALS,
)
_POINTS = st.fixed_dictionaries({name: st.integers(0, 10) | _NUMERALS for name in ("max", "current", "percentage")})
_DEFINITION = st.fixed_dictionaries(
    {
        "name": _GUIDS,
        "properties": _some_of(
            displayName=_NAMES,
            description=_HTML,
            maxScore=_NUMERALS,
            source=st.just({"sourceType": "BuiltIn"}),
            assessmentDefinitions=st.lists(
                _GUIDS.map(lambda key: {"id": f"/providers/Microsoft.Security/assessmentMetadata/{key}"}), max_size=3
            ),
        ),
    }
)


def _scored(identifier: st.SearchStrategy[str], name: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    properties = st.builds(
        lambda title, points, counts, definition: {
            "displayName": title, "score": points, **counts, **({} if definition is None else {"definition": definition})
        },
        _NAMES, _POINTS, _COUNTS, st.none() | _DEFINITION,
    )  # fmt: skip
    return st.fixed_dictionaries({"id": identifier, "name": name, "properties": properties})


_SCORES = _scored(st.just(_SCORE) | PLAIN_TEXTS, st.just("ascScore"))
_CONTROLS = _scored(_GUIDS.map(lambda key: f"{_SCORE}/secureScoreControls/{key}") | st.just(_SCORE), _GUIDS)

_STATUS = st.fixed_dictionaries(
    {"code": st.sampled_from(("Unhealthy", "Unhealthy", "Healthy", "NotApplicable", "unhealthy", "Pending", ""))},
    optional={
        "cause": st.sampled_from(("Exempt", "exempt", "OffByPolicy", "NA", "")),
        "description": _HTML,
        "firstEvaluationDate": _DATES,
        "statusChangeDate": _DATES,
    },
)
_SOURCES = st.sampled_from(("Azure", "azure", "Aws", "AWS", "Gcp", "OnPremise", "OnPremiseSql", "", "?"))
_RESOURCE_DETAILS = st.one_of(
    st.fixed_dictionaries({"Source": _SOURCES, "Id": _RESOURCES}),
    st.fixed_dictionaries({"source": _SOURCES, "id": _RESOURCES}),
    _some_of(
        Source=_SOURCES, source=_SOURCES, Id=_RESOURCES, id=_RESOURCES, ID=_RESOURCES, ResourceName=_NAMES, resourceName=_NAMES,
        ResourceType=st.sampled_from(("virtualMachines", "Microsoft.Compute/virtualMachines", "/", "")), ResourceProvider=_NAMES,
        ConnectorId=_GUIDS, AwsResourceId=st.just("arn:aws:s3:::b"), machineName=_NAMES, workspaceId=_GUIDS,
    ),
)  # fmt: skip
_RISK = _some_of(
    level=st.sampled_from(("None", "Low", "Critical", "low", "Extreme")),
    riskFactors=_list_of("Internet exposure", ""),
    attackPathsReferences=_list_of("a", "b"),
    paths=st.just([{"id": "a", "nodes": [{}]}]),
    isContextualRisk=st.booleans(),
)
_ADDITIONAL_DATA = st.dictionaries(
    st.sampled_from(("OS Type", "CVEs", "Tags", "subAssessmentsLink", "")),
    st.sampled_from(("True", "2", '[{"CVE": "x"}]', msgspec.Raw(b"true"), msgspec.Raw(b'{"a": [1e400]}'))),
)
_ASSESSMENTS = st.builds(
    lambda resource, key, properties: {
        "type": "Microsoft.Security/assessments",
        "id": resource if resource == _SCORE else f"{resource}/providers/Microsoft.Security/assessments/{key}",
        "name": key,
        "properties": properties,
    },
    _RESOURCES | st.just(_SCORE),
    _GUIDS,
    st.fixed_dictionaries(
        {"displayName": _NAMES, "status": _STATUS, "resourceDetails": _RESOURCE_DETAILS},
        optional={
            "additionalData": _ADDITIONAL_DATA,
            "links": _some_of(
                azurePortalUri=st.sampled_from(("portal.azure.com/#x", "https://portal.azure.com/", "javascript:alert(1)", "", "//x", "HTTPS://["))
            ),
            "metadata": st.just({"severity": "High"}),
            "partnersData": st.just({"partnerName": "x", "secret": "y"}),
            "risk": _RISK,
        },
    ),
)  # fmt: skip

_LEVELS = st.sampled_from(("Low", "Medium", "Moderate", "High", "Critical", "high", "HIGH", "", "Extreme", "ß"))
_METADATA = st.builds(
    lambda key, properties: {
        "id": f"/providers/Microsoft.Security/assessmentMetadata/{key}",
        "name": key,
        "type": "Microsoft.Security/assessmentMetadata",
        "properties": properties,
    },
    _GUIDS,
    st.fixed_dictionaries(
        {"displayName": _NAMES, "severity": _LEVELS},
        optional={
            "description": _HTML,
            "remediationDescription": _HTML,
            "userImpact": _LEVELS,
            "implementationEffort": _LEVELS,
            "categories": _list_of("Compute", "IdentityAndAccess", ""),
            "threats": _list_of("DataExfiltration", "dataSpillage"),
            "tactics": _list_of("Initial Access"),
            "techniques": _list_of("Exploit Public-Facing Application"),
            "assessmentType": st.sampled_from(("BuiltIn", "CustomPolicy", "Unknown")),
            "policyDefinitionId": st.just("/providers/microsoft.authorization/policydefinitions/x"),
            "preview": st.sampled_from((True, False, "True")),
            "publishDates": st.just({"GA": "2020-01-01", "public": "x"}),
            "plannedDeprecationDate": st.just("03/2026"),
        },
    ),
)


def _objects_in(value: object) -> Iterator[dict[str, Any]]:
    """Yield every object in a document that has fields."""
    if isinstance(value, dict) and value:
        yield value
        for inner in value.values():
            yield from _objects_in(inner)


@st.composite
def _bent(draw: st.DrawFn, proper: st.SearchStrategy[dict[str, Any]]) -> str:
    """Draw the JSON text of a record of which some fields are gone, null, anything else, twice, or named in another case."""
    document = copy.deepcopy(draw(proper))
    for _ in range(draw(st.sampled_from((0, 0, 1, 1, 2, 4)))):
        fields = draw(st.sampled_from(list(_objects_in(document)) or [document]))
        if not fields:
            continue
        name = draw(st.sampled_from(sorted(fields)))
        match draw(st.sampled_from(("lose", "null", "replace", "replace", "repeat", "rename"))):
            case "lose":
                del fields[name]
            case "null":
                fields[name] = None
            case "replace":
                fields[name] = draw(_ANY)
            case "repeat":
                first, second = msgspec.json.encode(fields[name]), msgspec.json.encode(draw(_ANY))
                fields[name] = msgspec.Raw(first + b", " + msgspec.json.encode(name) + b": " + second)
            case "rename":
                fields[draw(st.sampled_from((name.upper(), name.lower(), name.swapcase(), f" {name}")))] = fields.pop(
                    name
                )
    return msgspec.json.encode(document).decode()


RECORDS: dict[str, st.SearchStrategy[str]] = {
    event_type: _bent(proper) | _bent(proper) | _bent(proper) | _ANY.map(lambda text: bytes(text).decode())
    for event_type, proper in (
        ("secure_scores", _SCORES),
        ("secure_score_controls", _CONTROLS),
        ("assessments", _ASSESSMENTS),
        ("assessment_metadata", _METADATA),
    )
}
"""The JSON text of a record, by the name of its event type."""


def lists(event_type: str) -> st.SearchStrategy[bytes]:
    """Return the strategy for a list of an event type: right as JSON, whatever its records are."""
    return st.lists(RECORDS[event_type], max_size=5).map(lambda held: f'{{"value": [{", ".join(held)}]}}'.encode())
