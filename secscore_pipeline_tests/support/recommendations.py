"""Fills a store with recommendations of one subscription, day by day: what tests of their SQL start from."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from secscore_pipeline.ocsf.mapping import Normalization
from secscore_pipeline.warehouse.rows import ScopeRow
from secscore_pipeline.warehouse.store import leave_scope, normalize
from secscore_pipeline_tests.support import records

SUBSCRIPTION = "22222222-2222-4222-8222-222222222222"
MFA, DISK = "aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"
CONTROL = records.make_guid("Protect storage")
FIRST = datetime(2026, 11, 1, 5, tzinfo=UTC)


def make_assessment(key: str, resource: str, code: str = "Unhealthy", **status: Any) -> records.Record:
    """Return an assessment of the subscription; `status` are fields of its status, such as `cause`."""
    return records.make_assessment(SUBSCRIPTION, key, resource, code, **status)


def make_metadata(key: str, **properties: Any) -> records.Record:
    """Return a recommendation's metadata; it is severe where nothing else is given."""
    return records.make_metadata(key, **{"severity": "High", **properties})


def make_control(healthy: int, unhealthy: int, keys: Sequence[str]) -> records.Record:
    """Return the subscription's one control, of 10 points, which is made of some recommendations."""
    return records.make_control(SUBSCRIPTION, "Protect storage", 10, healthy, unhealthy, keys)


Lists = Mapping[str, Sequence[records.Record | str] | None]


@dataclass
class RecommendationStore:
    """A store that is filled day by day.

    Attributes:
        store: the test's database.
        day: the number of the day that is filled next, from 0.
        api_version: that in which lists are read.
        tenant_id: the subscription's.
    """

    store: Any
    day: int = 0
    api_version: str = "2025-05-04"
    tenant_id: str = records.TENANT

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

    def load(self, lists: Lists, subscription_id: str = SUBSCRIPTION) -> None:
        """Store a run that read some event types of a subscription; None is a fetch that failed."""
        read = {event_type: {subscription_id: given} for event_type, given in lists.items()}
        with self.open() as connection:
            run_id = f"run-{self.day}"
            fetch = {"api_version": self.api_version, "tenant_id": self.tenant_id}
            records.load_records(connection, self.store.path, run_id, self.now, read, **fetch)
        self.day += 1

    def sync(self, lists: Lists) -> int:
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
