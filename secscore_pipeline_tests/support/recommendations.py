"""Builds stores that hold recommendations, day by day, without any HTTP: what tests of the SQL start from."""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from secscore_pipeline.ocsf.mapping import Normalization
from secscore_pipeline.warehouse.rows import FetchRow, RecordRow, ScopeRow
from secscore_pipeline.warehouse.spool import open_spool
from secscore_pipeline.warehouse.store import leave_scope, load_fetches, normalize

TENANT = "11111111-1111-4111-8111-111111111111"
SUBSCRIPTION = "22222222-2222-4222-8222-222222222222"
MFA, DISK = "aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"
CONTROL = "cccccccc-0000-4000-8000-000000000001"
FIRST = datetime(2026, 11, 1, 5, tzinfo=UTC)


def make_assessment(key: str, resource: str, code: str = "Unhealthy", **more: Any) -> dict[str, Any]:
    """Return an assessment as Azure writes it; `more` are fields of its status, such as `cause`."""
    resource_id = (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/RG-One/providers/Microsoft.Storage/storageAccounts/{resource}"
    )
    return {
        "type": "Microsoft.Security/assessments",
        "id": f"{resource_id}/providers/Microsoft.Security/assessments/{key}",
        "name": key,
        "properties": {
            "displayName": f"Recommendation {key[-1]}",
            "status": {"code": code, **more},
            "resourceDetails": {"Source": "Azure", "Id": resource_id},
        },
    }


def make_metadata(key: str, **properties: Any) -> dict[str, Any]:
    """Return a recommendation's metadata as Azure writes it."""
    return {
        "id": f"/providers/Microsoft.Security/assessmentMetadata/{key}",
        "name": key,
        "type": "Microsoft.Security/assessmentMetadata",
        "properties": {"displayName": f"Recommendation {key[-1]}", "severity": "High", **properties},
    }


def make_control(healthy: int, unhealthy: int, keys: Sequence[str], maximum: int = 10) -> dict[str, Any]:
    """Return a secure score control that is made of some recommendations."""
    current = round(maximum * healthy / (healthy + unhealthy), 2)
    scope = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/secureScores/ascScore"
    return {
        "id": f"{scope}/secureScoreControls/{CONTROL}",
        "name": CONTROL,
        "type": "Microsoft.Security/secureScores/secureScoreControls",
        "properties": {
            "displayName": "Protect storage",
            "healthyResourceCount": healthy,
            "unhealthyResourceCount": unhealthy,
            "notApplicableResourceCount": 0,
            "score": {"max": maximum, "current": current, "percentage": round(current / maximum, 4)},
            "weight": healthy + unhealthy,
            "definition": {
                "id": f"/providers/Microsoft.Security/secureScoreControlDefinitions/{CONTROL}",
                "name": CONTROL,
                "type": "Microsoft.Security/secureScoreControlDefinitions",
                "properties": {
                    "source": {"sourceType": "BuiltIn"},
                    "displayName": "Protect storage",
                    "maxScore": maximum,
                    "assessmentDefinitions": [
                        {"id": f"/providers/Microsoft.Security/assessmentMetadata/{key}"} for key in keys
                    ],
                },
            },
        },
    }


@dataclass
class RecommendationStore:
    """A store that is filled day by day.

    Attributes:
        store: the test's database.
        day: the number of the day that is filled next, from 0.
        api_version: that in which lists are read.
    """

    store: Any
    day: int = 0
    api_version: str = "2025-05-04"

    def __post_init__(self) -> None:
        with self.open():
            pass  # made

    @property
    def now(self) -> datetime:
        """The moment of the day that is filled next."""
        return FIRST + timedelta(days=self.day)

    def open(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Open the store for writing."""
        return self.store.warehouse.get_connection()

    def load(
        self, lists: Mapping[str, Sequence[dict[str, Any] | str] | None], subscription_id: str = SUBSCRIPTION
    ) -> None:
        """Store a run that read some event types of a subscription; None is a fetch that failed."""
        run_id = f"run-{self.day}"
        for event_type, records in lists.items():
            with open_spool(self.store.path) as spool:
                spool.add_fetch(
                    FetchRow(
                        run_id=run_id,
                        tenant_id=TENANT,
                        subscription_id=subscription_id,
                        event_type=event_type,
                        started_at=self.now,
                        finished_at=self.now,
                        outcome="failed" if records is None else "complete" if records else "no_score",
                        http_status=200,
                        error_code=None,
                        error=None if records is not None else "It could not be read. [read-broken]",
                        pages=1,
                        records=len(records or ()),
                        request_ids=("request-1",),
                        arm_endpoint="https://management.azure.com",
                        cloud_partition="AzureCloud",
                        api_version=None if records is None else self.api_version,
                    )
                )
                for position, record in enumerate(records or (), 1):
                    text = record if isinstance(record, str) else json.dumps(record, separators=(",", ":"))
                    spool.add_record(RecordRow(subscription_id=subscription_id, page=1, position=position, record=text))
                spool.close()
                with self.open() as connection:
                    load_fetches(connection, spool, run_id, event_type, self.now)
        self.day += 1

    def sync(self, lists: Mapping[str, Sequence[dict[str, Any] | str] | None]) -> int:
        """Store a run and normalize it; return how many events it brought."""
        self.load(lists)
        return self.normalize()

    def leave(self) -> None:
        """Have the subscription leave the scope: it was deleted."""
        scope = ScopeRow(f"run-{self.day}", "default", (), (), {SUBSCRIPTION: "deleted"}, "not_listed", self.now)
        with self.open() as connection:
            leave_scope(connection, scope, self.now)
        self.day += 1
        self.normalize()

    def normalize(self) -> int:
        """Make findings of what was stored."""
        with self.open() as connection:
            return normalize(connection, Normalization().build_mapping())

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self.open() as connection:
            return connection.execute(sql).fetchall()
