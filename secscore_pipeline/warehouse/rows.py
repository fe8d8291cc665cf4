"""What the store takes and gives, row by row: fetches, records, listings, scopes and their changes."""

from datetime import datetime
from typing import NamedTuple

import msgspec


class ConnectionTenant(NamedTuple):
    """The tenant that a connection signs in to.

    Attributes:
        tenant_id: its GUID, lower case; what the settings name it where there was no token.
        name: what the settings name it, lower case: the GUID, or a domain.
    """

    tenant_id: str
    name: str


class FetchRow(msgspec.Struct, frozen=True):
    """One row of `raw.fetches`; its columns' comments say what each means.

    Attributes:
        tenant_id: as the list of the subscriptions says; None where it could not be had, or does not say.
    """

    run_id: str
    tenant_id: str | None
    subscription_id: str
    event_type: str
    started_at: datetime
    finished_at: datetime
    outcome: str
    http_status: int | None
    error_code: str | None
    error: str | None
    pages: int
    records: int
    request_ids: tuple[str | None, ...]
    arm_endpoint: str
    cloud_partition: str
    feed: str = "default"
    sync_id: str | None = None
    subscriptions_in_scope: int | None = None
    api_version: str | None = None


class GroupsRow(NamedTuple):
    """Which management groups of a tenant were read.

    Attributes:
        tenant_id: whose groups.
        top_group: the group below which paths begin.
        error: why they could not be read; None where they could.
    """

    tenant_id: str
    top_group: str
    error: str | None


class ListingRow(msgspec.Struct, frozen=True):
    """One list of the subscriptions that an identity sees; the comments of `raw.listings` say what each means."""

    run_id: str
    feed: str
    listed_at: datetime
    management_groups: tuple[GroupsRow, ...]
    arm_endpoint: str
    owner_tag: str
    sync_id: str


class ListedRow(msgspec.Struct, frozen=True):
    """One subscription on a list: its JSON text as received, and those of the management groups above it.

    Attributes:
        tenant_id: the tenant that it belongs to; None where the list does not say.
        ancestors: nearest first, up to the top group, which has none; None where they could not be read.
    """

    subscription_id: str
    tenant_id: str | None
    record: str
    ancestors: tuple[str, ...] | None


class ScopeRow(msgspec.Struct, frozen=True):
    """The scope of a feed as a run finds it; the comments of `raw.scope_changes` say more.

    Attributes:
        run_id: the run.
        feed: whose scope it is.
        other_feeds: the feeds that are configured beside it.
        subscription_ids: those to read.
        not_read: those that are listed and not to be read: the id, and why.
        reason_of_others: why any other is not read.
        changed_at: when it was found so, UTC.
    """

    run_id: str
    feed: str
    other_feeds: tuple[str, ...]
    subscription_ids: tuple[str, ...]
    not_read: dict[str, str]
    reason_of_others: str
    changed_at: datetime


class ScopeChange(NamedTuple):
    """One subscription that left the scope, or came back.

    Attributes:
        subscription_id: the subscription.
        name: its display name; None where it is not known.
        reason: why it left; None where it came back.
    """

    subscription_id: str
    name: str | None
    reason: str | None


class RecordRow(msgspec.Struct, frozen=True):
    """One raw record: whose it is, where it stood, its JSON text as received, and the digest that tells texts apart."""

    subscription_id: str
    page: int
    position: int
    record: str
    record_hash: str
