"""The raw layer: what Azure answered, as received, one asset an event type."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import dagster as dg

from secscore_pipeline.azure.errors import AzureError, Outcome
from secscore_pipeline.azure.event_types import (
    ASSESSMENT_METADATA,
    ASSESSMENTS,
    SECURE_SCORE_CONTROLS,
    SECURE_SCORES,
    EventType,
)
from secscore_pipeline.clock import utc_now
from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.config.registry import SECSCORE_BATCH_SIZE
from secscore_pipeline.defs.metadata import OWNERS, POOL, READ, describe_columns, explain_failures, make_failure
from secscore_pipeline.defs.partitions import BATCHES, SYNC
from secscore_pipeline.defs.resources import get_batch, get_connection
from secscore_pipeline.errors import explain
from secscore_pipeline.ingest.batches import Part
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline.ingest.fetches import FetchSummary, fetch_event_types
from secscore_pipeline.ingest.listing import Listing, PendingListing
from secscore_pipeline.ingest.run_scope import NAMED, describe_left, describe_returned
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.text import in_markdown, list_some, printable
from secscore_pipeline.warehouse.rows import GroupsRow
from secscore_pipeline.warehouse.statements import execute, has_rows
from secscore_pipeline.warehouse.warehouse import Warehouse

log = logging.getLogger(__name__)

NAMES_READ = "names_read"
"""The check of the subscriptions that says whether they could be listed."""

METADATA_READ = "metadata_read"
"""The check of the metadata of recommendations that tells whether it could be read, where it was to be."""


def _get_key(event_type: EventType) -> dg.AssetKey:
    """Return the asset of an event type."""
    return dg.AssetKey(["raw", event_type.name])


SUBSCRIPTIONS = dg.AssetKey(["raw", "subscriptions"])
SCORES, CONTROLS, RECOMMENDATIONS, METADATA = (
    _get_key(event_type) for event_type in (SECURE_SCORES, SECURE_SCORE_CONTROLS, ASSESSMENTS, ASSESSMENT_METADATA)
)


@dataclass(frozen=True)
class _RawTable:
    """A raw table that is read from a list of each subscription, or of some.

    Attributes:
        event_type: what its records are.
        chosen_by: the event type of SECSCORE_EVENT_TYPES with which it is read.
        deps: the asset that is made before it.
        read_check: the check that tells whether anything could be read; its severity.
        description: for the UI.
    """

    event_type: EventType
    chosen_by: EventType
    deps: dg.AssetKey
    read_check: str
    severity: dg.AssetCheckSeverity
    description: str

    @property
    def key(self) -> dg.AssetKey:
        """The asset."""
        return _get_key(self.event_type)


_TABLES = (
    _RawTable(
        SECURE_SCORES,
        SECURE_SCORES,
        SUBSCRIPTIONS,
        READ,
        dg.AssetCheckSeverity.ERROR,
        "Every secure score of every subscription, as Azure Resource Manager sent it. Append-only: a row a record.",
    ),
    _RawTable(
        SECURE_SCORE_CONTROLS,
        SECURE_SCORE_CONTROLS,
        SUBSCRIPTIONS,
        READ,
        dg.AssetCheckSeverity.ERROR,
        "Every secure score control of every subscription, its definition included, as Azure Resource Manager sent "
        "it. Append-only: a row a record.",
    ),
    _RawTable(
        ASSESSMENTS,
        ASSESSMENTS,
        SUBSCRIPTIONS,
        READ,
        dg.AssetCheckSeverity.ERROR,
        "Every assessment of every subscription: a recommendation on a resource, as Azure Resource Manager sent it. "
        "A row for as long as it stays the same.",
    ),
    _RawTable(
        ASSESSMENT_METADATA,
        ASSESSMENTS,
        RECOMMENDATIONS,
        METADATA_READ,
        dg.AssetCheckSeverity.WARN,  # without it, recommendations lack their texts and severities, and no more
        "What recommendations are about: the metadata of each tenant's, and of custom ones, as Azure Resource Manager "
        "sent it. A row for as long as it stays the same.",
    ),
)


_NOTHING_READ = {"subscriptions": 0, "read": False}

_CHANGES = {
    "appeared": "subscriptions listed for the first time",
    "changed": "subscriptions listed otherwise than before",
    "no_longer_listed": "subscriptions no longer listed",
    "returned": "subscriptions listed again",
}

_REPORTED_WITH_THE_SCOPE = ("no_longer_listed", "returned")
"""Changes of a listing that are logged as changes of the scope, where the scope is what is listed."""


def build_raw_assets(feeds: Sequence[Feed]) -> list[dg.AssetsDefinition]:
    """Make the assets of the raw layer: for one feed, or partitioned by the feeds of feeds.yaml, or by batch."""
    named = [feed.partition for feed in feeds if feed.partition]
    partitions: dg.PartitionsDefinition[Any] | None = dg.StaticPartitionsDefinition(named) if named else None
    if SECSCORE_BATCH_SIZE.read():
        partitions = BATCHES

    @dg.multi_asset(
        specs=[
            _specify(
                SUBSCRIPTIONS,
                "What subscriptions are called, where they lie and whose they are, as Azure Resource Manager lists "
                "them. A row for each time one is listed otherwise than before.",
            ),
            *(_specify(table.key, table.description, [table.deps]) for table in _TABLES),
        ],
        check_specs=[
            dg.AssetCheckSpec(NAMES_READ, asset=SUBSCRIPTIONS, description="The subscriptions' names could be read."),
            *(
                dg.AssetCheckSpec(
                    table.read_check, asset=table.key, description="One subscription could be read, or more."
                )
                for table in _TABLES
            ),
        ],
        name="raw__tables",
        can_subset=True,
        required_resource_keys={"warehouse", *(feed.resource_key for feed in feeds)},
        partitions_def=partitions,
        pool=POOL,
    )
    def tables(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        selected = [table for table in _TABLES if table.key in context.selected_asset_keys]
        if SUBSCRIPTIONS not in context.selected_asset_keys:
            yield from _materialize_tables(context, selected)
            return
        with explain_failures(context):
            listing = _begin_listing(context)
        results = list(_materialize_tables(context, selected, listing.pending))
        with explain_failures(context):
            yield from _materialize_subscriptions(context, listing)
        yield from results

    return [tables]


def _specify(key: dg.AssetKey, description: str, deps: Sequence[dg.AssetKey] = ()) -> dg.AssetSpec:
    """Return what is known of a raw asset beforehand."""
    return dg.AssetSpec(
        key,
        description=description,
        deps=deps,
        metadata={"dagster/table_name": ".".join(key.path)},
        group_name="raw",
        kinds={"azure", "duckdb"},
        owners=OWNERS,
    )


def _materialize_tables(
    context: dg.AssetExecutionContext, tables: Sequence[_RawTable], pending: PendingListing | None = None
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Read tables, and yield what Dagster shows of each, and whether it could be read."""
    for table, (result, problem) in _read_tables(context, tables, pending).items():
        yield result
        yield dg.AssetCheckResult(
            asset_key=table.key,
            check_name=table.read_check,
            passed=problem is None,
            severity=table.severity,
            description="\n".join(map(in_markdown, problem.splitlines()))
            if problem
            else "They could, or were not requested.",
        )


def _read_tables(
    context: dg.AssetExecutionContext, tables: Sequence[_RawTable], pending: PendingListing | None
) -> dict[_RawTable, tuple[dg.MaterializeResult[None], str | None]]:
    """Read tables, and return what Dagster shows of each, and why it could not be read; None where it could.

    The list of the subscriptions that the run is to store is read beside them.

    The step succeeds all the same: what was read of the other tables would never be published else. The run fails
    later, by the checks. What may pass is tried again, with all tables that are not stored.
    """
    found: dict[_RawTable, dg.MaterializeResult[None] | dg.Failure] = {}
    failed: Exception | None = None
    try:
        with explain_failures(context):
            found.update(_materialize(context, tables, pending))  # one by one: those before a failure are there
            _refuse_passing_failures(found.values())
    except dg.RetryRequested:
        raise
    except Exception as error:  # what was stored before it is worth as much, whatever it was
        log.debug("not every table could be read", exc_info=error)
        failed = error
    return {table: _describe_table(table, found.get(table) or failed) for table in tables}


def _refuse_passing_failures(results: Iterable[object]) -> None:
    """Raise the first failure that may be gone when it is tried again."""
    for result in results:
        if isinstance(result, dg.Failure) and result.allow_retries:
            raise result


def _describe_table(
    table: _RawTable, found: dg.MaterializeResult[None] | Exception | None
) -> tuple[dg.MaterializeResult[None], str | None]:
    """Return what Dagster shows of a table, and of one that could not be read, why."""
    if isinstance(found, dg.MaterializeResult):
        return found, None
    unforeseen = f"{table.event_type.name} could not be read ({type(found).__name__})."
    problem = found.description if isinstance(found, dg.Failure) else explain(unforeseen, "unforeseen")
    return dg.MaterializeResult(asset_key=table.key, metadata=_NOTHING_READ), problem


@dataclass(frozen=True)
class _SubscriptionsStep:
    """What a run has to do for the table of the subscriptions.

    Attributes:
        pending: the list to read and to store; None where there is none, for which `metadata` says why.
        columns: those of the table.
        metadata: what Dagster shows of it where there is no list to read.
    """

    pending: PendingListing | None = None
    columns: dg.TableSchema | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


def _begin_listing(context: dg.AssetExecutionContext) -> _SubscriptionsStep:
    """Find out whether the run is to list the subscriptions; say so where it is not."""
    azure, warehouse = get_connection(context), context.resources.warehouse.store
    owner_tag = azure.settings().owner_tag
    warehouse.refuse_behind()
    if owner_tag is None:
        context.log.info("SECSCORE_ENTITIES is off: nothing was read.")
        if (batch := get_batch(context)) is None or batch.number == 1:
            _warn_of_patterns(context, azure)
        return _SubscriptionsStep()
    part = _get_part(context, warehouse)
    pending = PendingListing(azure, warehouse, get_run_id(context), owner_tag, part=part)
    with warehouse.get_connection() as connection:
        if pending.is_stored(connection):
            who = "Another run of the sync" if part else "The try before"
            context.log.info("%s has listed them.", who)
            return _SubscriptionsStep(metadata={"is_listed_already": True})
        return _SubscriptionsStep(pending, describe_columns(connection, "raw.subscriptions"))


def _materialize_subscriptions(
    context: dg.AssetExecutionContext, step: _SubscriptionsStep
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """List the subscriptions, if the tables have not; where that cannot be done, the run goes on without names."""
    metadata, error = step.metadata, None
    if step.pending:
        try:
            listing = step.pending.result()
        except AzureError as failed:  # the check says why, and so do the readings that fail for it
            error = str(failed)
            context.log.warning("The subscriptions could not be listed: no names are known in this run.")
        else:
            azure = get_connection(context)
            _warn_of_patterns(context, azure)
            metadata = {"dagster/column_schema": step.columns, **_describe_listing(listing)}
            is_discovered = azure.settings().scope.subscription_ids is None
            for what, names in listing.changes.items():
                if not (is_discovered and what in _REPORTED_WITH_THE_SCOPE):
                    named = list_some(list(map(printable, names)), NAMED)
                    context.log.info("%s: %s", _CHANGES[what], named)
    yield dg.MaterializeResult(asset_key=SUBSCRIPTIONS, metadata=metadata)
    yield dg.AssetCheckResult(
        asset_key=SUBSCRIPTIONS,
        check_name=NAMES_READ,
        passed=error is None,
        severity=dg.AssetCheckSeverity.WARN,
        description=in_markdown(error) if error else "They could, or were not requested.",
    )


def _warn_of_patterns(context: dg.AssetExecutionContext, azure: AzureConnection) -> None:
    """Warn of patterns that fit no subscription; the run that lists them for a sync does it for all its runs."""
    try:
        unmatched = azure.describe_unmatched_patterns(azure.listing(get_run_id(context)))
    except AzureError as error:  # the readings that follow say so
        log.debug("the patterns were not checked", exc_info=error)
        return
    for sentence in unmatched:
        context.log.warning("%s", sentence)


def _describe_listing(listing: Listing) -> dict[str, Any]:
    """Return what Dagster shows of a list."""
    return {
        "dagster/row_count": listing.rows,
        "subscriptions": listing.subscriptions,
        "management_groups": _describe_groups(listing.groups),
        **{what: len(names) for what, names in listing.changes.items()},
    }


def _describe_groups(groups: Sequence[GroupsRow]) -> str:
    """Say whose management groups could be read; the reason of the only tenant stands by itself."""
    errors = [one.error for one in groups if one.error]
    if not errors:
        return "read"
    if len(groups) == 1:
        return errors[0]
    return f"read of {len(groups) - len(errors)} of {len(groups)} tenants; raw.listings says why not of the others"


def _list_stored(
    context: dg.AssetExecutionContext, warehouse: Warehouse, tables: Sequence[_RawTable]
) -> list[_RawTable]:
    """Return which tables an earlier try of the run or step stored; it may have ended before there was a file."""
    if not (context.run.root_run_id or context.op_execution_context.retry_number):
        return []
    run_id = get_run_id(context)
    with warehouse.get_connection() as connection:
        return [
            table
            for table in tables
            # Which metadata is stored already, the choice of what to read knows.
            if table.event_type is table.chosen_by
            and has_rows(
                connection, "warehouse/count_stored_fetches", {"run_id": run_id, "event_type": table.event_type.name}
            )
        ]


def _materialize(
    context: dg.AssetExecutionContext, tables: Sequence[_RawTable], pending: PendingListing | None
) -> Iterator[tuple[_RawTable, dg.MaterializeResult[None] | dg.Failure]]:
    """Read tables side by side, and yield what Dagster shows of each as it is stored."""
    azure: AzureConnection = get_connection(context)
    warehouse: Warehouse = context.resources.warehouse.store
    started_at = utc_now()
    run_id, part = get_run_id(context), _get_part(context, warehouse)
    requested = []
    for table in tables:
        if table.chosen_by not in azure.settings().event_types:
            context.log.info("SECSCORE_EVENT_TYPES does not name %s: nothing was read.", table.chosen_by.name)
            yield table, dg.MaterializeResult(asset_key=table.key, metadata=_NOTHING_READ)
        else:
            requested.append(table)
    stored = _list_stored(context, warehouse, requested)
    for table in stored:
        context.log.info("The try before stored %s: it is not read again.", table.event_type.name)
        yield table, dg.MaterializeResult(asset_key=table.key, metadata={"is_stored_already": True})
    waiting = {table.event_type: table for table in requested if table not in stored}
    if not waiting:
        return
    with warehouse.get_connection() as connection:
        columns = {table: describe_columns(connection, f"raw.{table.event_type.name}") for table in waiting.values()}
    report = context.log.info
    fetches = fetch_event_types(azure, warehouse, list(waiting), run_id, report=report, part=part, pending=pending)
    for event_type, taken in fetches:
        table = waiting[event_type]
        if taken.subscriptions and len(taken.errors) == taken.subscriptions:
            yield table, make_failure(context, _describe_unread(event_type, taken))
            continue
        for error in taken.errors:  # posture.read_results has them by cause, and the command line says each cause once
            context.log.debug("%s", error)
        metadata = {"dagster/column_schema": columns[table], **_describe_taken(azure, taken, started_at)}
        yield table, dg.MaterializeResult(asset_key=table.key, metadata=metadata)


def _describe_taken(azure: AzureConnection, taken: FetchSummary, started_at: datetime) -> dict[str, Any]:
    """Return what Dagster shows of a table that was read; its seconds are those of all that were read with it."""
    return {
        "dagster/row_count": taken.records,
        **taken.coverage.metadata,
        **{f"outcome_{outcome}": count for outcome, count in sorted(taken.outcomes.items())},
        **({"left_the_scope": describe_left(taken.left)} if taken.left else {}),
        **({"in_scope_again": describe_returned(taken.returned)} if taken.returned else {}),
        "records": taken.records,
        "requests": taken.requests,
        "cloud": azure.cloud().description,
        "duration_seconds": round((utc_now() - started_at).total_seconds(), 3),
    }


def get_run_id(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> str:
    """Return the id under which a run stores: its own, or that of the first try, so that nothing is stored twice."""
    return context.run.root_run_id or context.run.run_id


def _get_part(context: dg.AssetExecutionContext, warehouse: Warehouse) -> Part | None:
    """Return the batch that a run reads and its sync: that of the batches before where somebody started it by hand."""
    batch = get_batch(context)
    if batch is None:
        return None
    sync_id = context.run.tags.get(SYNC)
    if sync_id is None:
        with warehouse.get_connection() as connection:
            row = execute(connection, load_sql("ingest/select_newest_sync"), {"feed": batch.feed}).fetchone()
        sync_id = row[0] if row else None
    return Part(batch, sync_id or get_run_id(context))


def _describe_unread(event_type: EventType, taken: FetchSummary) -> str:
    """Say in one sentence why no subscription could be read; the same error of all is said once."""
    reasons = {error.split(": ", 1)[1] for error in taken.errors}
    if len(reasons) == 1:
        return f"No {event_type.name} could be read: {reasons.pop()}"
    counted = ", ".join(f"{count} {Outcome(outcome).words}" for outcome, count in taken.outcomes.most_common())
    return f"No {event_type.name} could be read ({counted}). The first: {taken.errors[0]}"
