"""Reads every subscription for an event type, and stores what Azure answered, as received."""

import logging
import operator
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import duckdb

from secscore_pipeline.azure.errors import Outcome, ReadResult, RequestError
from secscore_pipeline.azure.event_types import ASSESSMENT_METADATA, EventType, Fetch, fetch_all
from secscore_pipeline.azure.pages import Page
from secscore_pipeline.azure.subscriptions import SubscriptionListing
from secscore_pipeline.clock import Clock, utc_now
from secscore_pipeline.ingest.batches import Part
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline.ingest.metadata import choose_metadata_subscriptions
from secscore_pipeline.ingest.progress import report_progress
from secscore_pipeline.ingest.scope import Reason, ResolvedScope, refuse_empty
from secscore_pipeline.posture.coverage import Coverage, count_results
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.text import count_subscriptions, list_some, printable
from secscore_pipeline.warehouse.rows import FetchRow, RecordRow, ScopeChange, ScopeRow
from secscore_pipeline.warehouse.spool import Spool, open_spool
from secscore_pipeline.warehouse.statements import has_rows, select_rows
from secscore_pipeline.warehouse.store import leave_scope, load_fetches
from secscore_pipeline.warehouse.warehouse import Warehouse

log = logging.getLogger(__name__)

NAMED = 20
"""How many added or removed subscriptions are named in the log; `raw.subscriptions` has them all."""


class FetchSummary(NamedTuple):
    """What a run read of every subscription for one event type.

    Attributes:
        left: the subscriptions that left the scope.
        returned: those that had left and are back.
    """

    subscriptions: int
    outcomes: Counter[str]
    records: int
    requests: int
    errors: list[str]
    left: list[ScopeChange]
    returned: list[ScopeChange]

    @property
    def coverage(self) -> Coverage:
        """How many of the subscriptions were read for the event type."""
        return count_results(Outcome(outcome).result for outcome in self.outcomes.elements())

    def add(self, other: "FetchSummary") -> "FetchSummary":
        """Return what this look and another one came to together."""
        return FetchSummary(*map(operator.add, self, other))


@dataclass(frozen=True)
class _Reading:
    """What a run reads, and where it stores it.

    Attributes:
        azure: where to read.
        warehouse: where to store it.
        event_type: what to read.
        run_id: the run that reads.
        clock: returns the present time.
        report: is called with messages about the progress.
        known: what all fetches of the run share.
        tenant_ids: the tenant of each subscription that is known to have one.
    """

    azure: AzureConnection
    warehouse: Warehouse
    event_type: EventType
    run_id: str
    clock: Clock
    report: Callable[[str], object]
    known: Mapping[str, Any]
    tenant_ids: Mapping[str, str]


def fetch_event_type(
    azure: AzureConnection,
    warehouse: Warehouse,
    event_type: EventType,
    run_id: str,
    clock: Clock = utc_now,
    report: Callable[[str], object] = log.info,
    part: Part | None = None,
) -> FetchSummary:
    """Read every subscription with no database open, then load what was read in one transaction.

    Of the metadata of recommendations, only the lists are read that tell something new: `choose_metadata_subscriptions`
    says which; each choice is loaded by itself, since the next one depends on it.

    Args:
        azure: where to read, and which subscriptions.
        warehouse: where to store it.
        event_type: what to read.
        run_id: the run that reads.
        clock: returns the present time.
        report: is called with messages about the progress.
        part: which of the subscriptions, where they are split into batches.

    Raises:
        AzureError, SettingsError, WarehouseError: each says what happened and what to do.
    """
    with warehouse.get_connection():
        pass  # made, migrated and free to be written: better known before an hour of reading than after
    cloud = azure.cloud()
    listing = azure.listing(run_id)
    resolved = _resolve_scope(azure, warehouse, listing, run_id)
    left = _store_departures(azure, warehouse, run_id, resolved, clock)
    if left:
        report(describe_left(left))
    in_scope = refuse_empty(resolved)
    tenant_ids = listing.tenant_ids
    subscription_ids = tuple(filter(part.batch.takes, in_scope)) if part else in_scope
    if azure.other_feeds:
        _refuse_shared_subscriptions(azure, warehouse, subscription_ids)
    known = {
        "run_id": run_id,
        "sync_id": part.sync_id if part else None,
        "feed": azure.feed,
        "arm_endpoint": cloud.arm_endpoint,
        "cloud_partition": cloud.partition,
        "subscriptions_in_scope": len(in_scope),
    }
    reading = _Reading(azure, warehouse, event_type, run_id, clock, report, known, tenant_ids)
    taken = FetchSummary(0, Counter(), 0, 0, [], left, [])
    for chosen in (
        choose_metadata_subscriptions(warehouse, subscription_ids, clock().date())
        if event_type is ASSESSMENT_METADATA
        else [subscription_ids]
    ):
        taken = taken.add(_fetch_subscriptions(reading, chosen))
    if taken.returned:
        report(describe_returned(taken.returned))
    return taken


def _fetch_subscriptions(reading: _Reading, subscription_ids: Sequence[str]) -> FetchSummary:
    """Read some subscriptions, and load what was read in one transaction."""
    azure, event_type, clock = reading.azure, reading.event_type, reading.clock
    total = len(subscription_ids)
    outcomes: Counter[str] = Counter()
    errors: list[str] = []
    records = requests = 0
    with open_spool(reading.warehouse.path) as spool:
        fetches = fetch_all(
            azure.client(),
            event_type,
            subscription_ids,
            clock,
            azure.settings().max_connections,
            partial(_spool_page, spool),
        )
        for done, fetch in enumerate(fetches, 1):
            _spool_fetch(spool, {**reading.known, "tenant_id": reading.tenant_ids.get(fetch.subscription_id)}, fetch)
            outcomes[fetch.outcome] += 1
            records += fetch.records
            requests += len(fetch.request_ids)
            if fetch.error and fetch.outcome.result is ReadResult.NOT_READ:
                errors.append(f"{fetch.subscription_id}: {fetch.error}")
            if not report_progress(event_type.name, done, total) and done % max(total // 10, 25) == 0 and done < total:
                reading.report(f"{event_type.name}: {done} of {total} subscriptions read")
        spool.close()
        with reading.warehouse.get_connection() as connection:
            returned = load_fetches(connection, spool, reading.run_id, event_type.name, clock(), azure.tenant())
    taken = FetchSummary(total, outcomes, records, requests, errors, [], returned)
    if not report_progress(event_type.name, total, total):
        reading.report(f"{event_type.name}: {taken.coverage.sentence}")
    return taken


def has_stored(connection: duckdb.DuckDBPyConnection, run_id: str) -> bool:
    """Return whether a run stored what it read of a subscription, or that one left the scope."""
    run = {"run_id": run_id, "event_type": None}
    return any(
        has_rows(connection, name, run) for name in ("warehouse/count_stored_fetches", "ingest/count_departures")
    )


def _resolve_scope(
    azure: AzureConnection, warehouse: Warehouse, listing: SubscriptionListing, run_id: str
) -> ResolvedScope:
    """Return which subscriptions a run is to read; one that the settings name is read once, whatever its state."""
    resolved = azure.resolve_scope(listing)
    if not resolved.not_read or azure.settings().scope.subscription_ids is None:
        return resolved
    parameters: dict[str, object] = {"run_id": run_id, "ids": list(resolved.not_read)}
    with warehouse.get_reader() as connection:
        rows = select_rows(connection, load_sql("ingest/list_known_subscriptions"), parameters)
    known = {row["subscription_id"] for row in rows}
    return resolved.with_read(one for one in resolved.not_read if one not in known)


def _store_departures(
    azure: AzureConnection, warehouse: Warehouse, run_id: str, resolved: ResolvedScope, clock: Clock
) -> list[ScopeChange]:
    """Store who has left the scope, and return them; none where it is unknown, or the run has its own scope."""
    if resolved.reason_of_others is None or azure.has_own_scope:
        return []
    scope = ScopeRow(
        run_id,
        azure.feed,
        tuple(azure.other_feeds),
        resolved.subscription_ids,
        {one: str(reason) for one, reason in resolved.not_read.items()},
        resolved.reason_of_others,
        clock(),
    )
    with warehouse.get_connection() as connection:
        return leave_scope(connection, scope, clock())


def describe_left(changes: Sequence[ScopeChange]) -> str:
    """Say which subscriptions have left the scope, and why."""
    named = [f"{_format_subscription(one)} ({Reason(one.reason).words})" for one in changes if one.reason]
    return f"{count_subscriptions(len(changes))} left the scope: {list_some(named, NAMED)}"


def describe_returned(changes: Sequence[ScopeChange]) -> str:
    """Say which subscriptions are in scope again."""
    verb = "is" if len(changes) == 1 else "are"
    named = list_some(list(map(_format_subscription, changes)), NAMED)
    return f"{count_subscriptions(len(changes))} {verb} in scope again: {named}"


def _format_subscription(change: ScopeChange) -> str:
    return printable(change.name or change.subscription_id)


def _refuse_shared_subscriptions(azure: AzureConnection, warehouse: Warehouse, subscription_ids: Sequence[str]) -> None:
    """Raise where a feed beside this one reads one of the subscriptions too: each would close the other's findings."""
    parameters: dict[str, object] = {"ids": list(subscription_ids), "others": azure.other_feeds}
    with warehouse.get_reader() as connection:
        for row in select_rows(connection, load_sql("ingest/list_shared_subscriptions"), parameters):
            what = f"The subscription {row['subscription_id']} is read by the feed {row['feed']} too."
            raise RequestError(what, "feeds-overlap")


def _spool_fetch(spool: Spool, known: dict[str, Any], fetch: Fetch) -> None:
    """Keep a fetch until everything is read; `known` is what all fetches of the run share."""
    spool.add_fetch(
        FetchRow(
            **known,
            subscription_id=fetch.subscription_id,
            event_type=fetch.event_type.name,
            started_at=fetch.started_at,
            finished_at=fetch.finished_at,
            outcome=fetch.outcome,
            http_status=fetch.http_status,
            error_code=fetch.error_code,
            error=fetch.error,
            pages=fetch.pages,
            records=fetch.records,
            request_ids=fetch.request_ids,
            api_version=fetch.api_version,
        )
    )


def _spool_page(spool: Spool, subscription_id: str, page: Page) -> None:
    """Keep the records of a page as it arrives; those of a fetch that fails later are left out when it is loaded."""
    for position, record in enumerate(page.records, 1):
        spool.add_record(RecordRow(subscription_id=subscription_id, page=page.number, position=position, record=record))
