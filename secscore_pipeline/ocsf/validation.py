"""Findings as OCSF events, validated against the packaged OCSF schema and the rules that JSON Schema cannot carry."""

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

from jsonschema_rs import Draft202012Validator, ValidationError

from secscore_pipeline.ocsf import CLASS_UID, LAKE_VERSION, OCSF_VERSION, PROFILES

_CLASS = "databee/assessment_finding"


def build_event(row: str) -> dict[str, Any]:
    """Convert one row of `ocsf.assessment_findings`, as DuckDB's `to_json` prints it, into an OCSF event.

    Nulls go, since OCSF knows absence and not null; `_dt` times become RFC 3339 in UTC.
    """
    return dict(_drop_nulls(json.loads(row)))


def find_problems(finding: dict[str, Any]) -> list[str]:
    """Return what is wrong with an event, empty when it is a valid Assessment Finding of OCSF 1.8.0.

    Checked are the JSON Schema, and what it does not carry: the formula of `type_uid`, captions beside their
    ids, deprecated attributes, and times that are milliseconds.
    """
    found = list(map(_describe_problem, _validator().iter_errors(finding)))
    if finding.get("type_uid") != finding.get("class_uid", 0) * 100 + finding.get("activity_id", 0):
        found.append("$.type_uid: is not class_uid * 100 + activity_id")
    found.extend(_caption_problems(finding, _schema()["classes"][_CLASS]["attributes"], "$"))
    return found


def find_lake_problems(finding: dict[str, Any]) -> list[str]:
    """Return what is wrong with an event of the Security Lake export, by the schema of OCSF 1.3.0."""
    return list(map(_describe_problem, _lake_validator().iter_errors(finding)))


def _describe_problem(error: ValidationError) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
    return f"${path}: {error.message[:200]}"


@cache
def _lake_validator() -> Draft202012Validator:
    from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

    embedded = OcsfJsonSchemaEmbedded(get_ocsf_schema(LAKE_VERSION))
    return Draft202012Validator(embedded.get_class_schema("compliance_finding", list(PROFILES)))


def _drop_nulls(value: Any) -> Any:
    if isinstance(value, list):
        return [_drop_nulls(item) for item in value]
    if not isinstance(value, dict):
        return value
    present = {key: _drop_nulls(item) for key, item in value.items() if item is not None}
    for key in present:
        if key.endswith("_dt"):
            moment = datetime.fromtimestamp(present[key.removesuffix("_dt")] / 1000, UTC)
            present[key] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return present


@cache
def _schema() -> dict[str, Any]:
    """Return OCSF's compiled schema with our class, as its compiler would make it from an extension."""
    from ocsf_json_schema import get_ocsf_schema

    schema: dict[str, Any] = copy.copy(get_ocsf_schema(OCSF_VERSION))
    ours = copy.deepcopy(schema["classes"]["compliance_finding"])
    ours["name"], ours["caption"], ours["uid"] = _CLASS, "Assessment Finding", CLASS_UID
    ours["attributes"]["class_uid"]["enum"] = {str(CLASS_UID): {"caption": "Assessment Finding"}}
    ours["attributes"]["type_uid"]["enum"] = {
        str(CLASS_UID * 100 + int(uid) % 100): {
            **entry,
            "caption": entry["caption"].replace("Compliance Finding", "Assessment Finding"),
        }
        for uid, entry in ours["attributes"]["type_uid"]["enum"].items()
    }
    schema["classes"] = {**schema["classes"], _CLASS: ours}
    return schema


@cache
def _validator() -> Draft202012Validator:
    from ocsf_json_schema import OcsfJsonSchemaEmbedded

    embedded = OcsfJsonSchemaEmbedded(_schema())
    return Draft202012Validator(embedded.get_class_schema(_CLASS, list(PROFILES)))


def _caption_problems(value: dict[str, Any], attributes: dict[str, Any], path: str) -> Iterator[str]:
    """Walk an event beside its schema: captions, deprecated attributes, seconds given for milliseconds."""
    for key, item in value.items():
        attribute = attributes.get(key)
        if attribute is None:
            continue
        here = f"{path}.{key}"
        if "@deprecated" in attribute:
            yield f"{here}: is deprecated"
        if attribute.get("type") == "timestamp_t" and not 10**12 <= item < 10**13:
            yield f"{here}: is not in milliseconds"
        sibling, caption = (
            attribute.get("sibling"),
            attribute.get("enum", {}).get(str(item), {}).get("caption"),
        )
        if sibling and caption and caption != "Other" and value.get(sibling, caption) != caption:
            yield f"{path}.{sibling}: is not the caption of {key} {item}"
        nested = _schema()["objects"].get(attribute.get("object_type"), {}).get("attributes")
        if nested:
            for part in item if isinstance(item, list) else [item]:
                if isinstance(part, dict):
                    yield from _caption_problems(part, nested, here)
