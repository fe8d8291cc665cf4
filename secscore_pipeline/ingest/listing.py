"""Lists the subscriptions and the management groups above them, and stores what differs from the list before."""

import logging
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

import duckdb

from secscore_pipeline.azure.errors import AzureError, InterruptedReadError, RequestError
from secscore_pipeline.azure.parallel import begin
from secscore_pipeline.azure.subscriptions import Hierarchy, SubscriptionListing
from secscore_pipeline.clock import Clock, utc_now
from secscore_pipeline.config.azure_settings import AzureSettings
from secscore_pipeline.ingest.batches import Part
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.rows import ConnectionTenant, GroupsRow, ListedRow, ListingRow
from secscore_pipeline.warehouse.statements import has_rows, select_rows
from secscore_pipeline.warehouse.store import load_listing
from secscore_pipeline.warehouse.warehouse import Warehouse

log = logging.getLogger(__name__)


class Listing(NamedTuple):
    """A run's list of the subscriptions: how many there are, and which changed, by the kind of change.

    Attributes:
        groups: which tenants' management groups were read, and why those of others could not be.
        rows: how many the table then holds.
    """

    subscriptions: int
    changes: dict[str, list[str]]
    groups: tuple[GroupsRow, ...]
    rows: int


class _ReadListing(NamedTuple):
    """A list of the subscriptions that is read, and not stored yet."""

    row: ListingRow
    listed: list[ListedRow]
    tenant: ConnectionTenant


class PendingListing:
    """A list of the subscriptions, and of the management groups above them, that a run is to read and to store.

    It can be read beside the fetches (`start`); it is stored before them, since they refer to it (`result`).

    Args:
        azure: where to read.
        warehouse: where to store it.
        run_id: the run that lists.
        owner_tag: the tag that names a subscription's owner.
        clock: returns the present time.
        part: the run's part in a sync, of which one run lists for all.
    """

    def __init__(
        self,
        azure: AzureConnection,
        warehouse: Warehouse,
        run_id: str,
        owner_tag: str,
        clock: Clock = utc_now,
        part: Part | None = None,
    ) -> None:
        self._azure = azure
        self._warehouse = warehouse
        self._run_id = run_id
        self._owner_tag = owner_tag
        self._clock = clock
        self._sync_id = part.sync_id if part else run_id
        self._reading: Future[_ReadListing] | None = None
        self._found: _ReadListing | AzureError | None = None
        self._stored: Listing | None = None

    def is_stored(self, connection: duckdb.DuckDBPyConnection) -> bool:
        """Return whether another run of the sync has listed them, or an earlier try of this one."""
        return has_rows(connection, "warehouse/count_listings", {"feed": self._azure.feed, "sync_id": self._sync_id})

    @property
    def has_failed(self) -> bool:
        """Whether Azure refused it."""
        return isinstance(self._found, AzureError)

    def fail(self, error: AzureError) -> None:
        """Note that Azure refused the list: it is not requested again."""
        self._found = error

    def start(self) -> None:
        """Begin to read it in a thread of its own, unless it is read."""
        if self._found is None and self._reading is None:
            self._reading = begin(partial(self._read, self._azure.listing(self._run_id)))

    def wait(self) -> None:
        """Wait until it is read; what Azure refused, `result` says."""
        self._find()

    def result(self) -> Listing:
        """Return the list, which is stored then where it differs from the list before.

        Raises:
            AzureError, WarehouseError: each says what happened and what to do. Unreadable management groups are no
                error.
        """
        found = self._find()
        if isinstance(found, AzureError):
            raise found
        if self._stored is None:
            self._stored = self._load(found)
        return self._stored

    def _find(self) -> "_ReadListing | AzureError":
        """Return what is read, which is done here where it has not begun, or why it could not be."""
        if self._found is None:
            try:
                self._found = self._finish_reading()
            except AzureError as error:
                self._found = error
        return self._found

    def _finish_reading(self) -> _ReadListing:
        if self._reading:
            try:
                return self._reading.result()
            except InterruptedReadError:
                log.debug("what the list was read beside has failed, and ended its client")
        return self._read(self._azure.listing(self._run_id))

    def _read(self, listing: SubscriptionListing) -> _ReadListing:
        settings, seen, tenant = self._azure.settings(), listing.visible, self._azure.tenant()
        groups, hierarchies = _read_groups(listing, tenant, settings)
        row = ListingRow(
            self._run_id,
            self._azure.feed,
            self._clock(),
            groups,
            settings.cloud.arm_endpoint,
            self._owner_tag,
            self._sync_id,
        )
        listed = [
            ListedRow(
                one.subscription_id, one.tenant_id or None, one.record, _place_of(one.subscription_id, hierarchies)
            )
            for one in seen
        ]
        return _ReadListing(row, listed, tenant)

    def _load(self, found: _ReadListing) -> Listing:
        changes: dict[str, list[str]] = {}
        with self._warehouse.get_connection() as connection:
            load_listing(connection, self._warehouse.path, found.row, found.listed, found.tenant, self._clock())
            known = {"run_id": self._run_id, "feed": self._azure.feed}
            for change in select_rows(connection, load_sql("ingest/list_listing_changes"), known):
                changes.setdefault(change["change"], []).append(change["name"] or change["subscription_id"])
            rows = select_rows(connection, "select count(*) as n from raw.subscriptions")[0]["n"]
        return Listing(len(found.listed), changes, found.row.management_groups, rows)


def _read_groups(
    listing: SubscriptionListing, tenant: ConnectionTenant, settings: AzureSettings
) -> tuple[tuple[GroupsRow, ...], list[Hierarchy]]:
    """Read the management groups of each tenant by itself: below the one that is set, else below its root group.

    The group that is set is one of the connection's own tenant: Azure Lighthouse delegates no management groups.
    """
    groups, hierarchies = [], []
    others = sorted(set(listing.tenant_ids.values()))
    if top_group := settings.scope.management_group:
        others = [one for one in others if one != tenant.tenant_id]
        error = None
        try:
            hierarchies.append(listing.below(top_group))
        except RequestError as failed:
            error = str(failed)
        groups.append(GroupsRow(tenant.tenant_id, top_group, error))
    for tenant_id, found in listing.below_roots(others):
        if isinstance(found, Hierarchy):
            hierarchies.append(found)
        groups.append(GroupsRow(tenant_id, tenant_id, None if isinstance(found, Hierarchy) else found))
    return tuple(sorted(groups)), hierarchies


def _place_of(subscription_id: str, hierarchies: Sequence[Hierarchy]) -> tuple[str, ...] | None:
    """Return the management groups above a subscription, in the one hierarchy that holds it; None where none does."""
    places = (hierarchy.above(subscription_id) for hierarchy in hierarchies)
    return next((place for place in places if place is not None), None)
