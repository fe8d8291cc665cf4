"""Reads every subscription for an event type, and stores what Azure answered, as received."""

import logging
import operator
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import duckdb

from secscore_pipeline.azure.errors import Outcome, ReadResult, RequestError
from secscore_pipeline.azure.event_types import ASSESSMENT_METADATA, EventType, Fetch, fetch_all
from secscore_pipeline.azure.pages import Page
from secscore_pipeline.clock import Clock, utc_now
from secscore_pipeline.ingest.batches import Part
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline.ingest.metadata import choose_metadata_subscriptions
from secscore_pipeline.ingest.progress import report_progress
from secscore_pipeline.ingest.scope import Reason, ResolvedScope, refuse_empty
from secscore_pipeline.posture.coverage import Coverage, count_results
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.system.stopping import is_requested
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
        run_id: the run that reads.
        clock: returns the present time.
        report: is called with messages about the progress.
        known: what all fetches of the run share.
        tenant_ids: the tenant of each subscription that is known to have one.
    """

    azure: AzureConnection
    warehouse: Warehouse
    run_id: str
    clock: Clock
    report: Callable[[str], object]
    known: Mapping[str, Any]
    tenant_ids: Mapping[str, str]


@dataclass
class _Tally:
    """What was read for one event type, fetch by fetch.

    Attributes:
        spool: where it is kept until it is loaded.
        total: of how many subscriptions it is to be read.
    """

    spool: Spool
    total: int
    outcomes: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    records: int = 0
    requests: int = 0

    def add(self, fetch: Fetch) -> int:
        """Count a fetch; return how many there are."""
        self.outcomes[fetch.outcome] += 1
        self.records += fetch.records
        self.requests += len(fetch.request_ids)
        if fetch.error and fetch.outcome.result is ReadResult.NOT_READ:
            self.errors.append(f"{fetch.subscription_id}: {fetch.error}")
        return self.outcomes.total()

    def sum_up(self, returned: list[ScopeChange]) -> FetchSummary:
        """Return what it came to, and who is back in scope by it."""
        return FetchSummary(self.total, self.outcomes, self.records, self.requests, self.errors, [], returned)


def fetch_event_types(
    azure: AzureConnection,
    warehouse: Warehouse,
    event_types: Sequence[EventType],
    run_id: str,
    clock: Clock = utc_now,
    report: Callable[[str], object] = log.info,
    part: Part | None = None,
) -> Iterator[tuple[EventType, FetchSummary]]:
    """Read every subscription with no database open, then load each event type in one transaction, and yield it.

    All event types are read side by side, but for the metadata of recommendations, of which only the lists are read
    that tell something new: `choose_metadata_subscriptions` says which; each choice is loaded by itself, since the
    next one depends on it.

    Args:
        azure: where to read, and which subscriptions.
        warehouse: where to store it.
        event_types: what to read.
        run_id: the run that reads.
        clock: returns the present time.
        report: is called with messages about the progress.
        part: which of the subscriptions, where they are split into batches.

    Raises:
        AzureError, SettingsError, WarehouseError: each says what happened and what to do. What was yielded is stored.
    """
    cloud = azure.cloud()
    listing = azure.listing(run_id)
    resolved = azure.resolve_scope(listing)
    # Made, migrated and free to be written: better known before an hour of reading than after.
    with warehouse.get_connection() as connection:
        resolved = _add_unknown(connection, azure, resolved, run_id)
        left = _store_departures(connection, azure, run_id, resolved, clock)
        if left:
            report(describe_left(left))
        in_scope = refuse_empty(resolved)
        subscription_ids = tuple(filter(part.batch.takes, in_scope)) if part else in_scope
        if azure.other_feeds:
            _refuse_shared_subscriptions(connection, azure, subscription_ids)
    known = {
        "run_id": run_id,
        "sync_id": part.sync_id if part else None,
        "feed": azure.feed,
        "arm_endpoint": cloud.arm_endpoint,
        "cloud_partition": cloud.partition,
        "subscriptions_in_scope": len(in_scope),
    }
    reading = _Reading(azure, warehouse, run_id, clock, report, known, listing.tenant_ids)
    together = [event_type for event_type in event_types if event_type is not ASSESSMENT_METADATA]
    for event_type, taken in _fetch_subscriptions(reading, together, subscription_ids):
        yield event_type, _announce(report, taken._replace(left=left))
        left = []  # said once
    if ASSESSMENT_METADATA in event_types:
        taken = FetchSummary(0, Counter(), 0, 0, [], left, [])
        for chosen in choose_metadata_subscriptions(warehouse, subscription_ids, clock().date()):
            for _, found in _fetch_subscriptions(reading, [ASSESSMENT_METADATA], chosen):
                taken = taken.add(found)
        yield ASSESSMENT_METADATA, _announce(report, taken)


def _announce(report: Callable[[str], object], taken: FetchSummary) -> FetchSummary:
    """Report which subscriptions are back in scope, and return what was read."""
    if taken.returned:
        report(describe_returned(taken.returned))
    return taken


def _fetch_subscriptions(
    reading: _Reading, event_types: Sequence[EventType], subscription_ids: Sequence[str]
) -> Iterator[tuple[EventType, FetchSummary]]:
    """Read some subscriptions for event types side by side, then load and yield one event type after the other."""
    azure, clock = reading.azure, reading.clock
    total = len(subscription_ids)
    with ExitStack() as spools:
        tallies = {
            event_type: _Tally(spools.enter_context(open_spool(reading.warehouse.path)), total)
            for event_type in event_types
        }

        def spool_page(event_type: EventType, subscription_id: str, page: Page) -> None:
            _spool_page(tallies[event_type].spool, subscription_id, page)

        for fetch in fetch_all(azure.client(), event_types, subscription_ids, clock, spool_page):
            tally = tallies[fetch.event_type]
            tenant_id = reading.tenant_ids.get(fetch.subscription_id)
            _spool_fetch(tally.spool, {**reading.known, "tenant_id": tenant_id}, fetch)
            _report_progress(reading, fetch.event_type, tally.add(fetch), total)
        for tally in tallies.values():
            tally.spool.close()
        loaded, failed = _load(reading, tallies)
    for event_type, taken in loaded:
        if not report_progress(event_type.name, total, total):
            reading.report(f"{event_type.name}: {taken.coverage.sentence}")
        yield event_type, taken
    if failed:
        raise failed


def _load(
    reading: _Reading, tallies: Mapping[EventType, _Tally]
) -> tuple[list[tuple[EventType, FetchSummary]], Exception | None]:
    """Load each event type in a transaction of its own; one that cannot be loaded keeps no other from being.

    Returns:
        What was loaded, and the first reason why something was not.
    """
    waiting = list(tallies.items())
    loaded: list[tuple[EventType, FetchSummary]] = []
    failed: Exception | None = None
    while waiting:
        try:
            with reading.warehouse.get_connection() as connection:
                while waiting:
                    event_type, tally = waiting.pop(0)
                    returned = load_fetches(
                        connection,
                        tally.spool,
                        reading.run_id,
                        event_type.name,
                        reading.clock(),
                        reading.azure.tenant(),
                    )
                    loaded.append((event_type, tally.sum_up(returned)))
        except Exception as error:
            if is_requested():
                raise
            failed = failed or error  # raised by the caller, after the others
    return loaded, failed


def _report_progress(reading: _Reading, event_type: EventType, done: int, total: int) -> None:
    """Show how far an event type is: on the terminal, or in the log about ten times."""
    if not report_progress(event_type.name, done, total) and done % max(total // 10, 25) == 0 and done < total:
        reading.report(f"{event_type.name}: {done} of {total} subscriptions read")


def has_stored(connection: duckdb.DuckDBPyConnection, run_id: str) -> bool:
    """Return whether a run stored what it read of a subscription, or that one left the scope."""
    run = {"run_id": run_id, "event_type": None}
    return any(
        has_rows(connection, name, run) for name in ("warehouse/count_stored_fetches", "ingest/count_departures")
    )


def _add_unknown(
    connection: duckdb.DuckDBPyConnection, azure: AzureConnection, resolved: ResolvedScope, run_id: str
) -> ResolvedScope:
    """Return which subscriptions a run is to read: one that the settings name is read once, whatever its state."""
    if not resolved.not_read or azure.settings().scope.subscription_ids is None:
        return resolved
    parameters: dict[str, object] = {"run_id": run_id, "ids": list(resolved.not_read)}
    rows = select_rows(connection, load_sql("ingest/list_known_subscriptions"), parameters)
    known = {row["subscription_id"] for row in rows}
    return resolved.with_read(one for one in resolved.not_read if one not in known)


def _store_departures(
    connection: duckdb.DuckDBPyConnection, azure: AzureConnection, run_id: str, resolved: ResolvedScope, clock: Clock
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


def _refuse_shared_subscriptions(
    connection: duckdb.DuckDBPyConnection, azure: AzureConnection, subscription_ids: Sequence[str]
) -> None:
    """Raise where a feed beside this one reads one of the subscriptions too: each would close the other's findings."""
    parameters: dict[str, object] = {"ids": list(subscription_ids), "others": azure.other_feeds}
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
