"""The raw layer: what Azure answered, as received, one asset an event type."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import dagster as dg

from secscore_pipeline.azure.errors import AzureError, Outcome, ReadResult, RequestError
from secscore_pipeline.azure.secure_score import (
    SECURE_SCORE_CONTROLS,
    SECURE_SCORES,
    EventType,
    Fetch,
    fetch_all,
)
from secscore_pipeline.azure.subscriptions import Directory, Hierarchy
from secscore_pipeline.cli.progress import is_shown
from secscore_pipeline.clock import Clock, utc_now
from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.config.settings import AzureSettings, batch_size
from secscore_pipeline.defs.metadata import (
    OWNERS,
    POOL,
    READ,
    column_schema,
    failure,
    failures_explained,
    rows,
)
from secscore_pipeline.defs.resources import AzureConnection, Warehouse, batch_of, connection_of
from secscore_pipeline.error_catalogue import explained
from secscore_pipeline.ingest.batches import Batch
from secscore_pipeline.ingest.scope import Reason, ResolvedScope, refuse_empty
from secscore_pipeline.posture.coverage import Coverage, count_results
from secscore_pipeline.text import count_subscriptions, in_markdown, list_some, printable
from secscore_pipeline.warehouse import sql
from secscore_pipeline.warehouse.connection import execute
from secscore_pipeline.warehouse.store import (
    ConnectionTenant,
    FetchRow,
    GroupsRow,
    ListedRow,
    ListingRow,
    RecordRow,
    ScopeChange,
    ScopeRow,
    Spool,
    leave_scope,
    load_listing,
    load_snapshot,
    spooled,
)

log = logging.getLogger(__name__)

NAMES_READ = "names_read"
"""The check of the subscriptions that tells whether they could be listed."""

NAMED = 20
"""How many new or gone subscriptions are named in the log; `raw.subscriptions` has them all."""


BATCHES = dg.DynamicPartitionsDefinition(name="batches")
"""The partitions of the raw assets where SECSCORE_BATCH_SIZE is set: each round adds those that are new."""

ROUND = "secscore/round"
"""The tag of runs that together read every subscription of a feed once."""

SHOWS = "secscore/shows"
"""The tag of a run that publishes and reports a round."""

SUBSCRIPTIONS = dg.AssetKey(["raw", "subscriptions"])
SCORES, CONTROLS = (dg.AssetKey(["raw", event_type.name]) for event_type in (SECURE_SCORES, SECURE_SCORE_CONTROLS))

_DESCRIBED = (
    (
        SECURE_SCORES,
        "Every secure score of every subscription, as Azure Resource Manager sent it. Append-only: a row a record.",
    ),
    (
        SECURE_SCORE_CONTROLS,
        "Every secure score control of every subscription, its definition included, as Azure Resource Manager sent "
        "it. Append-only: a row a record.",
    ),
)


def raw_assets(feeds: Sequence[Feed]) -> list[dg.AssetsDefinition]:
    """Make the assets of the raw layer: for one feed, or partitioned by the feeds of feeds.yaml, or by batch."""
    named = [feed.partition for feed in feeds if feed.partition]
    partitions: dg.PartitionsDefinition[Any] | None = dg.StaticPartitionsDefinition(named) if named else None
    if batch_size():
        partitions = BATCHES
    resources = {"warehouse", *(feed.resource_key for feed in feeds)}

    @dg.asset(
        key=SUBSCRIPTIONS,
        description="What subscriptions are called, where they lie and whose they are, as Azure Resource Manager lists "
        "them. A row for each time one is listed otherwise than before.",
        metadata={"dagster/table_name": "raw.subscriptions"},
        check_specs=[
            dg.AssetCheckSpec(NAMES_READ, asset=SUBSCRIPTIONS, description="The subscriptions' names could be read.")
        ],
        group_name="raw",
        kinds={"azure", "duckdb"},
        owners=OWNERS,
        required_resource_keys=resources,
        partitions_def=partitions,
        pool=POOL,
    )
    def subscriptions(
        context: dg.AssetExecutionContext,
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        with failures_explained(context):
            yield from _materialize_subscriptions(context, connection_of(context), context.resources.warehouse)

    def asset_of(event_type: EventType, description: str) -> dg.AssetsDefinition:
        @dg.asset(
            key=["raw", event_type.name],
            description=description,
            deps=[SUBSCRIPTIONS],
            metadata={"dagster/table_name": f"raw.{event_type.name}"},
            check_specs=[
                dg.AssetCheckSpec(
                    READ,
                    asset=dg.AssetKey(["raw", event_type.name]),
                    description="One subscription could be read, or more.",
                )
            ],
            group_name="raw",
            kinds={"azure", "duckdb"},
            owners=OWNERS,
            required_resource_keys=resources,
            partitions_def=partitions,
            pool=POOL,
        )
        def raw_asset(
            context: dg.AssetExecutionContext,
        ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
            problem = None
            done: dg.MaterializeResult[None] = dg.MaterializeResult(metadata={"subscriptions": 0, "read": False})
            try:
                with failures_explained(context):
                    done = _materialize(context, connection_of(context), context.resources.warehouse, event_type)
            except dg.RetryRequested:
                raise
            except dg.Failure as failed:
                # Not the step: what the other event type has to tell would never reach anybody. The run fails later.
                problem = failed.description
            except Exception as error:  # an event type costs itself alone, whatever it was
                log.debug("%s could not be read", event_type.name, exc_info=error)
                problem = explained(f"{event_type.name} could not be read ({type(error).__name__}).", "unforeseen")
            yield done
            yield dg.AssetCheckResult(
                check_name=READ,
                passed=problem is None,
                severity=dg.AssetCheckSeverity.ERROR,
                description="\n".join(map(in_markdown, problem.splitlines()))
                if problem
                else "They could, or were not asked for.",
            )

        return raw_asset

    return [subscriptions, *(asset_of(*described) for described in _DESCRIBED)]


class Part(NamedTuple):
    """The part that a run has in a round: the batch that it reads, and the round's id, which its other runs share."""

    batch: Batch
    round_id: str


class Listing(NamedTuple):
    """What a run's list of the subscriptions came to: how many there are, and what is new, by what happened to it.

    Attributes:
        groups: which tenants' management groups were read, and why those of others could not be.
        rows, columns: what the table then holds.
    """

    subscriptions: int
    news: dict[str, list[str]]
    groups: tuple[GroupsRow, ...]
    rows: int
    columns: dg.TableSchema


def list_subscriptions(
    azure: AzureConnection,
    warehouse: Warehouse,
    snapshot_id: str,
    owner_tag: str,
    clock: Clock = utc_now,
    part: Part | None = None,
) -> Listing | None:
    """List the subscriptions and the management groups above them, and store what differs from the list before.

    Args:
        azure: whom to ask.
        warehouse: where to store it.
        snapshot_id: the run that lists.
        owner_tag: the tag that names a subscription's owner.
        clock: tells the present time.
        part: the run's part in a round, of which one run lists for all.

    Returns:
        What came of it; None where another run of the round has listed them.

    Raises:
        AzureError, WarehouseError: each says what happened and what to do. Unreadable management groups are no error.
    """
    round_id = part.round_id if part else snapshot_id
    if part and _is_there(warehouse, "is_listed", feed=azure.feed, round_id=round_id):
        return None
    settings, directory = azure.settings(), azure.directory(snapshot_id)
    seen = directory.visible
    tenant = azure.tenant()
    groups, hierarchies = _read_groups(directory, tenant, settings)
    listing = ListingRow(
        snapshot_id,
        azure.feed,
        clock(),
        groups,
        settings.cloud.arm_endpoint,
        owner_tag,
        round_id,
    )
    listed = [
        ListedRow(one.subscription_id, one.tenant_id or None, one.record, _place_of(one.subscription_id, hierarchies))
        for one in seen
    ]
    news: dict[str, list[str]] = {}
    with warehouse.get_connection() as connection:
        load_listing(connection, listing, listed, tenant, clock())
        for row in rows(connection, sql("listing_news"), {"snapshot_id": snapshot_id, "feed": azure.feed}):
            news.setdefault(row["news"], []).append(row["name"] or row["subscription_id"])
        held = rows(connection, "select count(*) as n from raw.subscriptions")[0]["n"]
        columns = column_schema(connection, "raw.subscriptions")
    return Listing(len(seen), news, groups, held, columns)


def _read_groups(
    directory: Directory, tenant: ConnectionTenant, settings: AzureSettings
) -> tuple[tuple[GroupsRow, ...], list[Hierarchy]]:
    """Read the management groups of each tenant by itself: below the one that is set, else below its root group.

    The group that is set is one of the connection's own tenant: Azure Lighthouse delegates no management groups.
    """
    groups, hierarchies = [], []
    others = sorted(set(directory.tenant_ids.values()))
    if top_group := settings.scope.management_group:
        others = [one for one in others if one != tenant.tenant_id]
        error = None
        try:
            hierarchies.append(directory.below(top_group))
        except RequestError as failed:
            error = str(failed)
        groups.append(GroupsRow(tenant.tenant_id, top_group, error))
    for tenant_id, found in directory.below_roots(others, settings.max_connections):
        if isinstance(found, Hierarchy):
            hierarchies.append(found)
        groups.append(GroupsRow(tenant_id, tenant_id, None if isinstance(found, Hierarchy) else found))
    return tuple(sorted(groups)), hierarchies


def _place_of(subscription_id: str, hierarchies: Sequence[Hierarchy]) -> tuple[str, ...] | None:
    """Return the management groups above a subscription, in the one hierarchy that holds it; None where none does."""
    places = (hierarchy.above(subscription_id) for hierarchy in hierarchies)
    return next((place for place in places if place is not None), None)


def _materialize_subscriptions(
    context: dg.AssetExecutionContext, azure: AzureConnection, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """List the subscriptions; where that cannot be done, the run goes on without names."""
    metadata: dict[str, Any] = {}
    error = None
    owner_tag = azure.settings().owner_tag
    warehouse.refuse_behind()
    if owner_tag is None:
        context.log.info("SECSCORE_ENTITIES is off: nothing was read.")
        if (batch := batch_of(context)) is None or batch.number == 1:
            _warn_of_patterns(context, azure)
    else:
        try:
            snapshot_id, part = snapshot_id_of(context), _part_of(context, warehouse)
            listing = list_subscriptions(azure, warehouse, snapshot_id, owner_tag, part=part)
        except AzureError as failed:  # the readings that follow say so for each subscription
            error = str(failed)
            context.log.warning("No names are known of this run's subscriptions. %s", error)
        else:
            if listing:
                _warn_of_patterns(context, azure)
                metadata = _described(listing)
                for what, names in listing.news.items():
                    context.log.info("subscriptions that %s: %s", what, list_some(list(map(printable, names)), NAMED))
            else:
                metadata = {"is_listed_already": True}
                context.log.info("Another run of the round has listed them.")
    yield dg.MaterializeResult(metadata=metadata)
    yield dg.AssetCheckResult(
        check_name=NAMES_READ,
        passed=error is None,
        severity=dg.AssetCheckSeverity.WARN,
        description=in_markdown(error) if error else "They could, or were not asked for.",
    )


def _warn_of_patterns(context: dg.AssetExecutionContext, azure: AzureConnection) -> None:
    """Warn of patterns that fit no subscription; the run that lists them for a sync does it for all its runs."""
    try:
        unmatched = azure.describe_unmatched_patterns(azure.directory(snapshot_id_of(context)))
    except AzureError as error:  # the readings that follow say so
        log.debug("the patterns were not checked", exc_info=error)
        return
    for sentence in unmatched:
        context.log.warning("%s", sentence)


def _described(listing: Listing) -> dict[str, Any]:
    """Return what Dagster shows of a list."""
    return {
        "dagster/row_count": listing.rows,
        "dagster/column_schema": listing.columns,
        "subscriptions": listing.subscriptions,
        "management_groups": _describe_groups(listing.groups),
        **{what: len(names) for what, names in listing.news.items()},
    }


def _describe_groups(groups: Sequence[GroupsRow]) -> str:
    """Say whose management groups could be read; the reason of the only tenant stands by itself."""
    errors = [one.error for one in groups if one.error]
    if not errors:
        return "read"
    if len(groups) == 1:
        return errors[0]
    return f"read of {len(groups) - len(errors)} of {len(groups)} tenants; raw.listings says why not of the others"


class Snapshot(NamedTuple):
    """What a run's look at every subscription for one event type came to.

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


def take_snapshot(
    azure: AzureConnection,
    warehouse: Warehouse,
    event_type: EventType,
    snapshot_id: str,
    clock: Clock = utc_now,
    tell: Callable[[str], object] = str,
    part: Part | None = None,
) -> Snapshot:
    """Read every subscription with no database open, then load the snapshot in one transaction.

    Args:
        azure: whom to ask, about which subscriptions.
        warehouse: where to store the snapshot.
        event_type: what to read.
        snapshot_id: the run that looks.
        clock: tells the present time.
        tell: is told how far the reading is.
        part: which of the subscriptions, where they are dealt into batches.

    Raises:
        AzureError, SettingsError, WarehouseError: each says what happened and what to do.
    """
    settings = azure.settings()
    with warehouse.get_connection():
        pass  # made, migrated and free to be written: better known before an hour of reading than after
    cloud = azure.cloud()
    directory = azure.directory(snapshot_id)
    resolved = _resolve_scope(azure, warehouse, directory, snapshot_id)
    left = _note_scope(azure, warehouse, snapshot_id, resolved, clock)
    if left:
        tell(describe_left(left))
    in_scope = refuse_empty(resolved)
    tenant_ids = directory.tenant_ids
    subscription_ids = tuple(filter(part.batch.takes, in_scope)) if part else in_scope
    if azure.other_feeds:
        _refuse_what_others_read(azure, warehouse, subscription_ids)
    total = len(subscription_ids)
    outcomes: Counter[str] = Counter()
    errors: list[str] = []
    records = requests = 0
    known = {
        "snapshot_id": snapshot_id,
        "round_id": part.round_id if part else None,
        "feed": azure.feed,
        "arm_endpoint": cloud.arm_endpoint,
        "cloud_partition": cloud.partition,
        "subscriptions_in_scope": len(in_scope),
    }
    with spooled(warehouse.path) as spool:
        looks = fetch_all(azure.client(), event_type, subscription_ids, clock, settings.max_connections)
        for done, look in enumerate(looks, 1):
            _spool(spool, {**known, "tenant_id": tenant_ids.get(look.subscription_id)}, look)
            outcomes[look.outcome] += 1
            records += look.records
            requests += len(look.request_ids)
            if look.error and look.outcome.result is ReadResult.NOT_READ:
                errors.append(f"{look.subscription_id}: {look.error}")
            if not is_shown(event_type.name, done, total) and done % max(total // 10, 25) == 0 and done < total:
                tell(f"{event_type.name}: {done} of {total} subscriptions asked for")
        spool.close()
        with warehouse.get_connection() as connection:
            returned = load_snapshot(connection, spool, snapshot_id, event_type.name, clock(), azure.tenant())
    taken = Snapshot(total, outcomes, records, requests, errors, left, returned)
    if not is_shown(event_type.name, total, total):
        tell(f"{event_type.name}: {taken.coverage.sentence}")
    if returned:
        tell(describe_returned(returned))
    return taken


def _resolve_scope(
    azure: AzureConnection, warehouse: Warehouse, directory: Directory, snapshot_id: str
) -> ResolvedScope:
    """Return which subscriptions a run is to read; one that the settings name is read once, whatever its state."""
    resolved = azure.resolve_scope(directory)
    if not resolved.not_read or azure.settings().scope.subscription_ids is None:
        return resolved
    asked: dict[str, object] = {"snapshot_id": snapshot_id, "ids": list(resolved.not_read)}
    with warehouse.get_reader() as connection:
        known = {row["subscription_id"] for row in rows(connection, sql("read_before"), asked)}
    return resolved.with_read(one for one in resolved.not_read if one not in known)


def _note_scope(
    azure: AzureConnection, warehouse: Warehouse, snapshot_id: str, resolved: ResolvedScope, clock: Clock
) -> list[ScopeChange]:
    """Store who has left the scope, and return them; none where nobody can tell, or the run has a scope of its own."""
    if resolved.reason_of_others is None or azure.has_own_scope:
        return []
    scope = ScopeRow(
        snapshot_id,
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
    named = [f"{_named(one)} ({Reason(one.reason).words})" for one in changes if one.reason]
    return f"{count_subscriptions(len(changes))} left the scope: {list_some(named, NAMED)}"


def describe_returned(changes: Sequence[ScopeChange]) -> str:
    """Say which subscriptions are in scope again."""
    verb = "is" if len(changes) == 1 else "are"
    named = list_some(list(map(_named, changes)), NAMED)
    return f"{count_subscriptions(len(changes))} {verb} in scope again: {named}"


def _named(change: ScopeChange) -> str:
    return printable(change.name or change.subscription_id)


def _materialize(
    context: dg.AssetExecutionContext, azure: AzureConnection, warehouse: Warehouse, event_type: EventType
) -> dg.MaterializeResult[None]:
    if event_type not in azure.settings().event_types:
        context.log.info("SECSCORE_EVENT_TYPES does not name %s: nothing was read.", event_type.name)
        return dg.MaterializeResult(metadata={"subscriptions": 0, "read": False})
    started_at = utc_now()
    snapshot_id, part = snapshot_id_of(context), _part_of(context, warehouse)
    if context.run.root_run_id and _is_there(
        warehouse, "is_stored", snapshot_id=snapshot_id, event_type=event_type.name
    ):
        context.log.info("The try before stored this snapshot: it is not read again.")
        return dg.MaterializeResult(metadata={"is_stored_already": True})
    taken = take_snapshot(azure, warehouse, event_type, snapshot_id, tell=context.log.info, part=part)
    if taken.subscriptions and len(taken.errors) == taken.subscriptions:
        raise failure(context, _nothing_read(event_type, taken))
    for error in taken.errors:  # posture.read_results has them by cause, and the command line says each cause once
        context.log.debug("%s", error)
    with warehouse.get_reader() as connection:
        columns = column_schema(connection, f"raw.{event_type.name}")
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": taken.records,
            "dagster/column_schema": columns,
            **taken.coverage.metadata,
            **{f"outcome_{outcome}": count for outcome, count in sorted(taken.outcomes.items())},
            **({"left_the_scope": describe_left(taken.left)} if taken.left else {}),
            **({"in_scope_again": describe_returned(taken.returned)} if taken.returned else {}),
            "records": taken.records,
            "requests": taken.requests,
            "cloud": azure.cloud().described,
            "duration_seconds": round((utc_now() - started_at).total_seconds(), 3),
        }
    )


def snapshot_id_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> str:
    """Return the id of the snapshots of a run: its own, or that of the first try, so that no try stores one twice."""
    return context.run.root_run_id or context.run.run_id


def _part_of(context: dg.AssetExecutionContext, warehouse: Warehouse) -> Part | None:
    """Return the batch that a run reads and its round: that of the batches before where somebody started it by hand."""
    batch = batch_of(context)
    if batch is None:
        return None
    round_id = context.run.tags.get(ROUND)
    if round_id is None:
        with warehouse.get_connection() as connection:
            row = execute(connection, sql("round_of_feed"), {"feed": batch.feed}).fetchone()
        round_id = row[0] if row else None
    return Part(batch, round_id or snapshot_id_of(context))


def _is_there(warehouse: Warehouse, counted: str, **asked: object) -> bool:
    """Tell whether a query that counts rows finds any."""
    with warehouse.get_connection() as connection:
        return execute(connection, sql(counted), asked).fetchone() != (0,)


def _refuse_what_others_read(azure: AzureConnection, warehouse: Warehouse, subscription_ids: Sequence[str]) -> None:
    """Raise where a feed beside this one reads one of the subscriptions too: each would close the other's findings."""
    asked: dict[str, object] = {"ids": list(subscription_ids), "others": azure.other_feeds}
    with warehouse.get_reader() as connection:
        for row in rows(connection, sql("read_by_others"), asked):
            what = f"The subscription {row['subscription_id']} is read by the feed {row['feed']} too."
            raise RequestError(what, "feeds-overlap")


def _spool(spool: Spool, known: dict[str, Any], look: Fetch) -> None:
    """Keep a look and its records until the whole snapshot is read; `known` is what all looks of it share."""
    spool.add_fetch(
        FetchRow(
            **known,
            subscription_id=look.subscription_id,
            event_type=look.event_type.name,
            started_at=look.started_at,
            finished_at=look.finished_at,
            outcome=look.outcome,
            http_status=look.http_status,
            error_code=look.error_code,
            error=look.error,
            pages=len(look.pages),
            records=look.records,
            request_ids=look.request_ids,
        )
    )
    for page in look.pages:
        for position, record in enumerate(page.records, 1):
            spool.add_record(
                RecordRow(subscription_id=look.subscription_id, page=page.number, position=position, record=record)
            )


def _nothing_read(event_type: EventType, taken: Snapshot) -> str:
    """Say in one sentence why no subscription could be read; the same error of all is said once."""
    reasons = {error.split(": ", 1)[1] for error in taken.errors}
    if len(reasons) == 1:
        return f"No {event_type.name} could be read: {reasons.pop()}"
    counted = ", ".join(f"{count} {outcome}" for outcome, count in taken.outcomes.most_common())
    return f"No {event_type.name} could be read ({counted}). The first: {taken.errors[0]}"
