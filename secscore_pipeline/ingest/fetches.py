"""Reads every subscription for an event type, and stores what Azure answered, as received."""

import logging
import operator
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import duckdb
import msgspec

from secscore_pipeline.azure.errors import AzureError, Outcome, ReadResult
from secscore_pipeline.azure.event_types import ASSESSMENT_METADATA, EventType, Fetch, fetch_all
from secscore_pipeline.azure.pages import Page
from secscore_pipeline.clock import Clock, utc_now
from secscore_pipeline.ingest.batches import Part
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline.ingest.listing import PendingListing
from secscore_pipeline.ingest.metadata import choose_metadata_subscriptions
from secscore_pipeline.ingest.progress import report_progress
from secscore_pipeline.ingest.run_scope import FoundScope, RunScope, describe_returned
from secscore_pipeline.posture.coverage import Coverage, count_results
from secscore_pipeline.system.stopping import is_requested
from secscore_pipeline.warehouse.rows import FetchRow, ScopeChange
from secscore_pipeline.warehouse.spool import Spool, open_spool
from secscore_pipeline.warehouse.statements import has_rows
from secscore_pipeline.warehouse.store import load_fetches
from secscore_pipeline.warehouse.warehouse import Warehouse

log = logging.getLogger(__name__)


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
        known: what all fetches of the run share, as far as it is known before they end.
        pending: the list of the subscriptions that is stored before the fetches, which refer to it; None where none is.
    """

    azure: AzureConnection
    warehouse: Warehouse
    run_id: str
    clock: Clock
    report: Callable[[str], object]
    known: Mapping[str, Any]
    pending: PendingListing | None

    def store_listing(self) -> None:
        """Store the list that is to be stored; one that Azure refused costs the run its names only."""
        if self.pending:
            with suppress(AzureError):  # `pending` keeps it
                self.pending.result()


@dataclass
class _Tally:
    """What was read for one event type, fetch by fetch.

    Attributes:
        spool: where it is kept until it is loaded.
        ended: how many fetches have ended, those included that are not stored.
    """

    spool: Spool
    ended: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    records: int = 0
    requests: int = 0

    def close(self, found: FoundScope) -> None:
        """Count the fetches of the subscriptions in scope, and make the spool ready to be loaded with no others."""
        subscription_ids = frozenset(found.subscription_ids)

        def complete(row: FetchRow) -> FetchRow | None:
            if row.subscription_id not in subscription_ids:
                return None
            self._add(row)
            tenant_id = found.tenant_ids.get(row.subscription_id)
            return msgspec.structs.replace(row, tenant_id=tenant_id, subscriptions_in_scope=found.in_scope)

        self.spool.rewrite_fetches(complete)
        self.spool.close()

    def _add(self, row: FetchRow) -> None:
        outcome = Outcome(row.outcome)
        self.outcomes[outcome] += 1
        self.records += row.records
        self.requests += len(row.request_ids)
        if row.error and outcome.result is ReadResult.NOT_READ:
            self.errors.append(f"{row.subscription_id}: {row.error}")

    def sum_up(self, subscriptions: int, returned: list[ScopeChange]) -> FetchSummary:
        """Return what it came to, of how many subscriptions it was to be read, and who is back in scope by it."""
        return FetchSummary(subscriptions, self.outcomes, self.records, self.requests, self.errors, [], returned)


def fetch_event_types(
    azure: AzureConnection,
    warehouse: Warehouse,
    event_types: Sequence[EventType],
    run_id: str,
    clock: Clock = utc_now,
    report: Callable[[str], object] = log.info,
    part: Part | None = None,
    pending: PendingListing | None = None,
) -> Iterator[tuple[EventType, FetchSummary]]:
    """Read every subscription with no database open, then load each event type in one transaction, and yield it.

    The fetches begin as soon as one subscription is known to be in scope, and the list of the subscriptions is read
    beside them. Nothing is loaded before it has ended.

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
        pending: the list that the run stores before the fetches, where it does; if Azure refuses it, it says so itself.

    Raises:
        AzureError, SettingsError, WarehouseError: each says what happened and what to do. What was yielded is stored.
    """
    cloud = azure.cloud()
    scope = RunScope(azure, warehouse, run_id, clock, report, part, pending)
    known = {
        "run_id": run_id,
        "sync_id": part.sync_id if part else None,
        "feed": azure.feed,
        "arm_endpoint": cloud.arm_endpoint,
        "cloud_partition": cloud.partition,
    }
    reading = _Reading(azure, warehouse, run_id, clock, report, known, pending)
    together = [event_type for event_type in event_types if event_type is not ASSESSMENT_METADATA]
    for event_type, taken in _fetch_subscriptions(reading, together, scope):
        yield event_type, _announce(report, taken)
    if ASSESSMENT_METADATA in event_types:
        found = scope.finish()
        taken = FetchSummary(0, Counter(), 0, 0, [], [] if together else found.left, [])
        for chosen in choose_metadata_subscriptions(warehouse, found.subscription_ids, clock().date()):
            part_of_it = replace(found, subscription_ids=chosen, left=[])
            for _, more in _fetch_subscriptions(reading, [ASSESSMENT_METADATA], part_of_it):
                taken = taken.add(more)
        yield ASSESSMENT_METADATA, _announce(report, taken)


def _announce(report: Callable[[str], object], taken: FetchSummary) -> FetchSummary:
    """Report which subscriptions are back in scope, and return what was read."""
    if taken.returned:
        report(describe_returned(taken.returned))
    return taken


def _fetch_subscriptions(
    reading: _Reading, event_types: Sequence[EventType], scope: RunScope | FoundScope
) -> Iterator[tuple[EventType, FetchSummary]]:
    """Read some subscriptions for event types side by side, then load and yield one event type after the other."""
    subscription_ids = iter(scope)  # which raises what can be known before anything is read
    with ExitStack() as spools:
        tallies = {
            event_type: _Tally(spools.enter_context(open_spool(reading.warehouse.path))) for event_type in event_types
        }

        def spool_page(event_type: EventType, subscription_id: str, page: Page) -> None:
            # Those of a fetch that fails later are left out when it is loaded.
            tallies[event_type].spool.add_records(subscription_id, page.number, page.records)

        fetches = fetch_all(reading.azure.client(), event_types, subscription_ids, reading.clock, spool_page)
        for fetch in fetches:
            tally = tallies[fetch.event_type]
            _spool_fetch(tally.spool, reading.known, fetch)
            tally.ended += 1
            _report_progress(reading, fetch.event_type, tally.ended, scope.total)
        found = scope.finish()
        reading.store_listing()
        for tally in tallies.values():
            tally.close(found)
        loaded, failed = _load(reading, tallies, found.total)
    left = found.left
    for event_type, taken in loaded:
        if not report_progress(event_type.name, taken.subscriptions, taken.subscriptions):
            reading.report(f"{event_type.name}: {taken.coverage.sentence}")
        yield event_type, taken._replace(left=left)
        left = []  # said once
    if failed:
        raise failed


def _load(
    reading: _Reading, tallies: Mapping[EventType, _Tally], subscriptions: int
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
                    loaded.append((event_type, tally.sum_up(subscriptions, returned)))
        except Exception as error:
            if is_requested():
                raise
            failed = failed or error  # raised by the caller, after the others
    return loaded, failed


def _report_progress(reading: _Reading, event_type: EventType, done: int, total: int | None) -> None:
    """Show how far an event type is, once it is known of how many: on the terminal, or in the log about ten times."""
    if total is None or report_progress(event_type.name, done, total):
        return
    if done % max(total // 10, 25) == 0 and done < total:
        reading.report(f"{event_type.name}: {done} of {total} subscriptions read")


def has_stored(connection: duckdb.DuckDBPyConnection, run_id: str) -> bool:
    """Return whether a run stored what it read of a subscription, or that one left the scope."""
    run = {"run_id": run_id, "event_type": None}
    return any(
        has_rows(connection, name, run) for name in ("warehouse/count_stored_fetches", "ingest/count_departures")
    )


def _spool_fetch(spool: Spool, known: Mapping[str, Any], fetch: Fetch) -> None:
    """Keep a fetch until everything is read; `known` is what all fetches of the run share."""
    spool.add_fetch(
        FetchRow(
            **known,
            tenant_id=None,  # as the list says, when it has ended
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
