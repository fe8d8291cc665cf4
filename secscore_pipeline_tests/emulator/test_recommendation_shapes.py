"""The local Azure's recommendations have the shapes of Microsoft's specification and of recorded bodies."""

import json

import jsonschema
import pytest

from secscore_pipeline.emulator.world import World
from secscore_pipeline_tests.emulator.conftest import SECURITY

SPECIFICATION = "azure/spec-2020-01-01"
RECORDED = "azure/recorded-more"

COMMON = {
    "Resource": {"type": "object", "properties": {name: {"type": "string"} for name in ("id", "name", "type")}},
    # The wire writes Source, Id and more where the specification has source.
    "ResourceDetails": {"type": "object", "additionalProperties": {"type": "string"}, "required": ["Source"]},
}
"""The definitions that the specification has in another document."""


def schema_of(shared, document, name):
    """Return a definition of the specification as one JSON schema."""
    definitions = {
        file: json.loads((shared / SPECIFICATION / file).read_text())["definitions"]
        for file in ("assessments.json", "assessmentMetadata.json")
    }

    def resolve(node, file):
        if isinstance(node, list):
            return [resolve(item, file) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            target, _, wanted = node["$ref"].partition("#/definitions/")
            if target.endswith("types.json"):
                return COMMON[wanted]
            target = target.removeprefix("./") or file
            return resolve(definitions[target][wanted], target)
        return {key: resolve(value, file) for key, value in node.items()}

    return resolve(definitions[document][name], document)


def undeclared_keys(schema, value, path=""):
    """Yield the keys that an object has and its schema does not declare."""
    if isinstance(value, list):
        for item in value:
            yield from undeclared_keys(schema.get("items", {}), item, path)
    elif isinstance(value, dict) and not isinstance(schema.get("additionalProperties"), dict):
        declared = dict(schema.get("properties", {}))
        for part in schema.get("allOf", ()):
            declared |= part.get("properties", {})
            for inner in part.get("allOf", ()):
                declared |= inner.get("properties", {})
        for key, item in value.items():
            if key in declared:
                yield from undeclared_keys(declared[key], item, f"{path}/{key}")
            else:
                yield f"{path}/{key}"


def spell_threats(properties):
    """Write threats as the specification does: the wire has DataSpillage for dataSpillage."""
    return {**properties, "threats": [threat[0].lower() + threat[1:] for threat in properties["threats"]]}


DATES = {f"/value/properties/status/{name}" for name in ("firstEvaluationDate", "statusChangeDate")}

NEWER = {
    "2020-01-01": set(),
    "2021-06-01": DATES,
    "2025-05-04": DATES | {"/value/properties/risk"},
}
"""What later versions add to an assessment of 2020-01-01."""

NEWER_METADATA = {
    f"/value/properties/{name}" for name in ("publishDates", "tactics", "techniques", "plannedDeprecationDate")
}


@pytest.mark.parametrize("version", NEWER)
def test_assessments_and_metadata_are_valid(read, shared, version):
    world = World(subscriptions=2, custom_controls=1)
    reader = read(world)
    of_list = schema_of(shared, "assessments.json", "SecurityAssessmentList")
    of_one = schema_of(shared, "assessments.json", "SecurityAssessment")
    of_metadata = schema_of(shared, "assessmentMetadata.json", "SecurityAssessmentMetadataList")
    undeclared, undeclared_of_metadata = set(), set()
    for subscription_id in world.subscriptions:
        rows = reader.assessments(subscription_id, version)
        jsonschema.validate({"value": rows}, of_list)
        undeclared |= set(undeclared_keys(of_list, {"value": rows}))
        row = next(row for row in rows if row["name"] in {one["name"] for one in reader.metadata(version=version)})
        expanded = reader.get(row["id"], version, **{"$expand": "links,metadata"}).json()
        expanded["properties"]["metadata"] = spell_threats(expanded["properties"]["metadata"])
        jsonschema.validate(expanded, of_one)
        metadata = reader.metadata(f"/subscriptions/{subscription_id}", version)
        spelled = [{**one, "properties": spell_threats(one["properties"])} for one in metadata]
        jsonschema.validate({"value": spelled}, of_metadata)
        undeclared_of_metadata |= set(undeclared_keys(of_metadata, {"value": metadata}))
    assert undeclared == NEWER[version]
    assert undeclared_of_metadata == (set() if version == "2020-01-01" else NEWER_METADATA)


@pytest.mark.parametrize(
    "broken", [{"status": {"code": "Sick"}}, {"additionalData": {"one": 1}}, {"resourceDetails": {}}]
)
def test_the_specification_refuses_what_is_wrong(read, shared, broken):
    reader = read(World(subscriptions=1))
    (row, *_) = reader.assessments(next(iter(reader.azure.world.subscriptions)))
    row["properties"] |= broken
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(row, schema_of(shared, "assessments.json", "SecurityAssessment"))


def shape_of(value):
    """Return keys in their order, and types; texts of maps are one type whatever their keys."""
    if isinstance(value, dict):
        return tuple((key, "map" if key == "additionalData" else shape_of(item)) for key, item in value.items())
    if isinstance(value, list):
        return tuple(sorted({shape_of(item) for item in value}, key=str))
    return type(value).__name__


@pytest.mark.parametrize("name", ["powershell", "cli"])
def test_assessments_have_the_shapes_of_recorded_ones(read, shared, name):
    recorded = json.loads((shared / RECORDED / f"assessments.list.2020-01-01.{name}.json").read_text())
    world = World(subscriptions=3)
    reader = read(world)
    page = reader.get(f"/subscriptions/{next(iter(world.subscriptions))}{SECURITY}/assessments").json()
    assert page.keys() == recorded.keys()
    served = [row for one in world.subscriptions for row in reader.assessments(one)]
    assert {shape_of(row) for row in recorded["value"]} <= {shape_of(row) for row in served}
    assert {type(value) for row in served for value in row["properties"].get("additionalData", {}).values()} == {str}


def test_metadata_has_the_shapes_of_recorded_metadata(read, shared):
    recorded = json.loads((shared / RECORDED / "assessmentMetadata.list.2020-01-01.powershell.json").read_text())
    reader = read(World(subscriptions=1))
    served = reader.get(f"{SECURITY}/assessmentMetadata").json()
    assert served.keys() == recorded.keys()
    shapes = {shape_of(one) for one in served["value"]}
    assert {shape_of(one) for one in recorded["value"]} <= shapes
    # What was not recorded has no policy: the specification's example has such metadata.
    allowed = {shape_of(one) for one in recorded["value"]}
    without_policy = {
        tuple((key, tuple(pair for pair in inner if pair[0] != "policyDefinitionId") if key == "properties" else inner)
              for key, inner in shape)
        for shape in allowed
    }  # fmt: skip
    assert shapes <= allowed | without_policy
