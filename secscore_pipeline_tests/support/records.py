"""Records of Microsoft.Security written by hand, stored as if they had been read: for answers worked out by hand."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import duckdb

from secscore_pipeline.ocsf.mapping import Normalization
from secscore_pipeline.warehouse.rows import FetchRow
from secscore_pipeline.warehouse.spool import open_spool
from secscore_pipeline.warehouse.store import load_fetches, normalize
from secscore_pipeline_tests.conftest import Store

TENANT = "00000000-0000-0000-0000-0000000000aa"
Record = dict[str, Any]


def make_guid(name: str) -> str:
    """Return the GUID of a name: the same each time; a GUID is its own."""
    if re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", name):
        return name
    return str(uuid5(NAMESPACE_URL, name))


def make_score(subscription: str, current: float, maximum: int, weight: int) -> Record:
    """Return a secure score."""
    return {
        "id": f"/subscriptions/{subscription}/providers/Microsoft.Security/secureScores/ascScore",
        "name": "ascScore",
        "properties": {
            "displayName": "ASC score",
            "score": {"max": maximum, "current": current, "percentage": round(current / maximum, 4)},
            "weight": weight,
        },
    }


def make_control(
    subscription: str, name: str, maximum: int, healthy: int, unhealthy: int, recommendations: Sequence[str] = ()
) -> Record:
    """Return a secure score control with its points by Microsoft's formula, and the recommendations that it has."""
    guid, count = make_guid(name), healthy + unhealthy
    current = round(maximum * healthy / count, 2) if count else 0
    keys = [{"id": f"/providers/Microsoft.Security/assessmentMetadata/{make_guid(key)}"} for key in recommendations]
    return {
        "id": f"/subscriptions/{subscription}/providers/Microsoft.Security/secureScores/ascScore/secureScoreControls/"
        f"{guid}",
        "name": guid,
        "properties": {
            "displayName": name,
            "healthyResourceCount": healthy,
            "unhealthyResourceCount": unhealthy,
            "notApplicableResourceCount": 0,
            "score": {"max": maximum, "current": current, "percentage": round(current / maximum, 4)},
            "definition": {
                "name": guid,
                "properties": {"displayName": name, "maxScore": maximum, "assessmentDefinitions": keys},
            },
            "weight": count,
        },
    }


def make_assessment(
    subscription: str,
    recommendation: str,
    resource: str,
    code: str = "Unhealthy",
    changed: datetime | None = None,
    **status: Any,
) -> Record:
    """Return what an assessment says of a virtual machine.

    Args:
        subscription: the machine's.
        recommendation: a name; its GUID is made of it.
        resource: the machine's name.
        code: of its status.
        changed: when that changed last, UTC; None where Azure does not say.
        status: other fields of its status, such as `cause`.
    """
    key = make_guid(recommendation)
    identifier = (
        f"/subscriptions/{subscription}/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/{resource}"
    )
    dates = {} if changed is None else dict.fromkeys(
        ("firstEvaluationDate", "statusChangeDate"), f"{changed:%Y-%m-%dT%H:%M:%S}.0000000Z"
    )  # fmt: skip
    return {
        "id": f"{identifier}/providers/Microsoft.Security/assessments/{key}",
        "name": key,
        "type": "Microsoft.Security/assessments",
        "properties": {
            "displayName": recommendation,
            "resourceDetails": {"Source": "Azure", "Id": identifier},
            "status": {"code": code, **dates, **status},
        },
    }


def make_metadata(recommendation: str, effort: str | None = None, **properties: Any) -> Record:
    """Return the metadata of a recommendation; what is not given is Azure's most frequent value."""
    key = make_guid(recommendation)
    return {
        "id": f"/providers/Microsoft.Security/assessmentMetadata/{key}",
        "name": key,
        "type": "Microsoft.Security/assessmentMetadata",
        "properties": {
            "displayName": recommendation,
            "assessmentType": "BuiltIn",
            "severity": "Medium",
            "userImpact": "Low",
            **({} if effort is None else {"implementationEffort": effort}),
            **properties,
        },
    }


def store_records(
    store: Store,
    run_id: str,
    moment: datetime,
    records: Mapping[str, Mapping[str, Sequence[Record | str] | None]],
    cloud: str = "AzureCloud",
) -> None:
    """Store what a run read, and make findings of it; the arguments are those of `load_records`."""
    with store.warehouse.get_connection() as connection:
        load_records(connection, store.path, run_id, moment, records, cloud=cloud)
        normalize(connection, Normalization().build_mapping())


def load_records(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    run_id: str,
    moment: datetime,
    records: Mapping[str, Mapping[str, Sequence[Record | str] | None]],
    **fetch: Any,
) -> None:
    """Store what a run read.

    Args:
        connection: open for writing.
        path: beside which the spool is made.
        run_id: the run's, and its sync's.
        moment: when it read, UTC.
        records: by event type and subscription, or their texts; None for what could not be read.
        fetch: fields of the fetches' rows that differ from the usual ones, and `cloud`.
    """
    for event_type, lists in records.items():
        with open_spool(path) as spool:
            for subscription, read in lists.items():
                spool.add_fetch(_make_fetch(run_id, moment, event_type, subscription, read, **fetch))
                texts = [
                    record if isinstance(record, str) else json.dumps(record, separators=(",", ":"))
                    for record in read or ()
                ]
                spool.add_records(subscription, 1, texts)
            spool.close()
            load_fetches(connection, spool, run_id, event_type, moment)


def _make_fetch(
    run_id: str,
    moment: datetime,
    event_type: str,
    subscription: str,
    read: Sequence[Record | str] | None,
    cloud: str = "AzureCloud",
    tenant_id: str = TENANT,
    api_version: str | None = None,
) -> FetchRow:
    return FetchRow(
        run_id=run_id,
        tenant_id=tenant_id,
        subscription_id=subscription,
        event_type=event_type,
        started_at=moment,
        finished_at=moment,
        outcome="failed" if read is None else "complete",
        http_status=500 if read is None else 200,
        error_code=None,
        error="It could not be read. [read-broken]" if read is None else None,
        pages=1,
        records=len(read or ()),
        request_ids=("request-1",),
        arm_endpoint="https://arm.example",
        cloud_partition=cloud,
        api_version=None if read is None else api_version,
    )
