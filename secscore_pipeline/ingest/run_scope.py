"""Which subscriptions a run reads: found out while the first of them are read already."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import duckdb

from secscore_pipeline.azure.errors import AzureError, RequestError
from secscore_pipeline.azure.parallel import begin
from secscore_pipeline.azure.subscriptions import ListedSubscription
from secscore_pipeline.clock import Clock
from secscore_pipeline.ingest.batches import Part
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline.ingest.listing import PendingListing
from secscore_pipeline.ingest.scope import Reason, ResolvedScope, refuse_empty
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.text import count_subscriptions, list_some, printable
from secscore_pipeline.warehouse.rows import ScopeChange, ScopeRow
from secscore_pipeline.warehouse.statements import select_rows
from secscore_pipeline.warehouse.store import leave_scope
from secscore_pipeline.warehouse.warehouse import Warehouse

NAMED = 20
"""How many added or removed subscriptions are named in the log; `raw.subscriptions` has them all."""


@dataclass(frozen=True)
class FoundScope:
    """What a run reads, as the whole list of the subscriptions has it.

    Attributes:
        subscription_ids: those that the run reads; what it has read of others is not to be stored.
        in_scope: how many are in scope, those of other batches included.
        tenant_ids: the tenant of each subscription that is known to have one.
        left: the subscriptions that left the scope.
    """

    subscription_ids: tuple[str, ...]
    in_scope: int
    tenant_ids: Mapping[str, str]
    left: list[ScopeChange]

    @property
    def total(self) -> int:
        """How many subscriptions the run reads."""
        return len(self.subscription_ids)

    def __iter__(self) -> Iterator[str]:
        """Yield the subscriptions to read."""
        return iter(self.subscription_ids)

    def finish(self) -> "FoundScope":
        """Return the scope itself: its list is read."""
        return self


class RunScope:
    """The subscriptions that a run is to read, each as soon as it can be known to be in scope.

    Those that the settings name are known at once: their list is read beside the fetches. Where every subscription is
    read that Azure lists, the first page of the list is enough to begin. Below a management group, or with patterns of
    names, nothing is known before the list has ended.

    Args:
        azure: where to read, and which subscriptions.
        warehouse: where it is stored who has left.
        run_id: the run that reads.
        clock: returns the present time.
        report: is called with messages about who has left.
        part: which of the subscriptions, where they are split into batches.
        pending: the list that the run is to store, where it is; it is read beside the fetches.
    """

    def __init__(
        self,
        azure: AzureConnection,
        warehouse: Warehouse,
        run_id: str,
        clock: Clock,
        report: Callable[[str], object],
        part: Part | None = None,
        pending: PendingListing | None = None,
    ) -> None:
        self._azure = azure
        self._warehouse = warehouse
        self._run_id = run_id
        self._clock = clock
        self._report = report
        self._part = part
        self._pending = pending
        self._listing = azure.listing(run_id)
        self._wait: Callable[[], object] | None = None
        self._total: int | None = None
        self._found: FoundScope | None = None

    @property
    def total(self) -> int | None:
        """How many subscriptions the run reads; None where that is not known yet."""
        return self._found.total if self._found else self._total

    def __iter__(self) -> Iterator[str]:
        """Yield the subscriptions to read; some of them may turn out to be out of scope: `finish` says which are in it.

        Raises:
            AzureError, WarehouseError: as `finish`; at once where nothing is read before.
        """
        waiting = self._choose()
        first = tuple(islice(waiting, 1))
        return chain(first, waiting)

    def _choose(self) -> Iterator[str]:
        """Yield each subscription once, first those that are known to be in scope before the list has ended."""
        named = self._azure.settings().scope.subscription_ids
        begun: set[str] = set()
        for one in self._list_enabled() if named is None else self._choose_named(named):
            if one not in begun and self._takes(one):
                begun.add(one)
                yield one
        if named is None or not begun:
            yield from (one for one in self.finish().subscription_ids if one not in begun)

    def finish(self) -> FoundScope:
        """Return the scope once the whole list is read, and store who has left it.

        Raises:
            AzureError: the subscriptions could not be listed, or none of them is to be read.
            WarehouseError: it says what happened and what to do.
        """
        if self._found is None:
            self._found = self._find()
        return self._found

    def _find(self) -> FoundScope:
        if self._wait:
            self._wait()
        resolved = self._azure.resolve_scope(self._listing)
        if self._pending:
            self._pending.start()
        with self._warehouse.get_connection() as connection:
            resolved = self._add_unknown(connection, resolved)
            left = self._store_departures(connection, resolved)
            if left:
                self._report(describe_left(left))
            in_scope = refuse_empty(resolved)
            subscription_ids = tuple(filter(self._takes, in_scope))
            if shared := self._find_shared(connection, subscription_ids):
                raise shared
        return FoundScope(subscription_ids, len(in_scope), self._listing.tenant_ids, left)

    def _takes(self, subscription_id: str) -> bool:
        """Return whether a subscription belongs to the run's batch, where there is one."""
        return self._part is None or self._part.batch.takes(subscription_id)

    def _choose_named(self, named: Sequence[str]) -> Sequence[str]:
        """Return those that the settings name, and begin to read their list beside the fetches.

        None of them where another feed reads one: whether that is in scope here too, the list says.
        """
        # Made, migrated and free to be written: better known before an hour of reading than after.
        with self._warehouse.get_connection() as connection:
            may_be_shared = self._find_shared(connection, named) is not None
        if self._pending:
            self._pending.start()
            self._wait = self._pending.wait
        else:
            self._wait = begin(self._listing.visible_or_none).result
        if may_be_shared:
            return ()
        self._total = sum(map(self._takes, named))
        return named

    def _list_enabled(self) -> Iterator[str]:
        """Yield those to read of each page but the last, where no other page is needed to know them."""
        scope = self._azure.settings().scope
        needs_whole_list = bool(scope.management_group or scope.include or scope.exclude)
        for number, page in enumerate(self._read_pages(), 1):
            if needs_whole_list:
                continue
            if number == 1:
                with self._warehouse.get_connection():
                    pass  # can be written: better known before an hour of reading than after
            yield from (one.subscription_id for one in page if one.is_enabled)

    def _read_pages(self) -> Iterator[Sequence[ListedSubscription]]:
        """Yield the pages of the list but the last.

        Where they cannot be read, the run has no list to store; for the fetches, it is requested once more.
        """
        try:
            yield from self._listing.read_pages()
        except AzureError as error:
            if self._pending is None or self._pending.has_failed:
                raise
            self._pending.fail(error)
            yield from self._listing.read_pages()

    def _add_unknown(self, connection: duckdb.DuckDBPyConnection, resolved: ResolvedScope) -> ResolvedScope:
        """Return what the run is to read: one that the settings name is read once, whatever its state."""
        if not resolved.not_read or self._azure.settings().scope.subscription_ids is None:
            return resolved
        parameters: dict[str, object] = {"run_id": self._run_id, "ids": list(resolved.not_read)}
        rows = select_rows(connection, load_sql("ingest/list_known_subscriptions"), parameters)
        known = {row["subscription_id"] for row in rows}
        return resolved.with_read(one for one in resolved.not_read if one not in known)

    def _store_departures(self, connection: duckdb.DuckDBPyConnection, resolved: ResolvedScope) -> list[ScopeChange]:
        """Store who has left the scope, and return them; none where it is unknown, or the run has its own scope."""
        if resolved.reason_of_others is None or self._azure.has_own_scope:
            return []
        scope = ScopeRow(
            self._run_id,
            self._azure.feed,
            tuple(self._azure.other_feeds),
            resolved.subscription_ids,
            {one: str(reason) for one, reason in resolved.not_read.items()},
            resolved.reason_of_others,
            self._clock(),
        )
        return leave_scope(connection, scope, self._clock())

    def _find_shared(
        self, connection: duckdb.DuckDBPyConnection, subscription_ids: Sequence[str]
    ) -> RequestError | None:
        """Return what is wrong where a feed beside this one reads one of the subscriptions too.

        Each would close the other's findings.
        """
        if not self._azure.other_feeds:
            return None
        parameters: dict[str, object] = {"ids": list(subscription_ids), "others": self._azure.other_feeds}
        for row in select_rows(connection, load_sql("ingest/list_shared_subscriptions"), parameters):
            what = f"The subscription {row['subscription_id']} is read by the feed {row['feed']} too."
            return RequestError(what, "feeds-overlap")
        return None


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
