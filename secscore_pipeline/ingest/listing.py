"""Lists the subscriptions and the management groups above them, and stores what differs from the list before."""

from collections.abc import Sequence
from typing import NamedTuple

from secscore_pipeline.azure.errors import RequestError
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


def list_subscriptions(
    azure: AzureConnection,
    warehouse: Warehouse,
    run_id: str,
    owner_tag: str,
    clock: Clock = utc_now,
    part: Part | None = None,
) -> Listing | None:
    """List the subscriptions and the management groups above them, and store what differs from the list before.

    Args:
        azure: where to read.
        warehouse: where to store it.
        run_id: the run that lists.
        owner_tag: the tag that names a subscription's owner.
        clock: returns the present time.
        part: the run's part in a sync, of which one run lists for all.

    Returns:
        The list; None where another run of the sync has listed them.

    Raises:
        AzureError, WarehouseError: each says what happened and what to do. Unreadable management groups are no error.
    """
    sync_id = part.sync_id if part else run_id
    if part:
        with warehouse.get_connection() as connection:  # which makes the file where this run is the first
            if has_rows(connection, "warehouse/count_listings", {"feed": azure.feed, "sync_id": sync_id}):
                return None
    settings, listing = azure.settings(), azure.listing(run_id)
    seen = listing.visible
    tenant = azure.tenant()
    groups, hierarchies = _read_groups(listing, tenant, settings)
    row = ListingRow(
        run_id,
        azure.feed,
        clock(),
        groups,
        settings.cloud.arm_endpoint,
        owner_tag,
        sync_id,
    )
    listed = [
        ListedRow(one.subscription_id, one.tenant_id or None, one.record, _place_of(one.subscription_id, hierarchies))
        for one in seen
    ]
    changes: dict[str, list[str]] = {}
    with warehouse.get_connection() as connection:
        load_listing(connection, row, listed, tenant, clock())
        known = {"run_id": run_id, "feed": azure.feed}
        for change in select_rows(connection, load_sql("ingest/list_listing_changes"), known):
            changes.setdefault(change["change"], []).append(change["name"] or change["subscription_id"])
        rows = select_rows(connection, "select count(*) as n from raw.subscriptions")[0]["n"]
    return Listing(len(seen), changes, groups, rows)


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
