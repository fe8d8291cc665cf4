"""The raw layer: what Azure answered, as received, one asset an event type."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

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
from secscore_pipeline.ingest.fetches import NAMED, FetchSummary, describe_left, describe_returned, fetch_event_type
from secscore_pipeline.ingest.listing import Listing, list_subscriptions
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

SUBSCRIPTIONS = dg.AssetKey(["raw", "subscriptions"])
SCORES, CONTROLS, RECOMMENDATIONS, METADATA = (
    dg.AssetKey(["raw", event_type.name])
    for event_type in (SECURE_SCORES, SECURE_SCORE_CONTROLS, ASSESSMENTS, ASSESSMENT_METADATA)
)


class _RawTable(NamedTuple):
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
    resources = {"warehouse", *(feed.resource_key for feed in feeds)}

    def declare_asset(
        check: dg.AssetCheckSpec, description: str, deps: Sequence[dg.AssetKey] = ()
    ) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
        """Return the decorator of a raw asset: the one that the check is about."""
        return dg.asset(
            key=check.asset_key,
            description=description,
            deps=deps,
            metadata={"dagster/table_name": ".".join(check.asset_key.path)},
            check_specs=[check],
            group_name="raw",
            kinds={"azure", "duckdb"},
            owners=OWNERS,
            required_resource_keys=resources,
            partitions_def=partitions,
            pool=POOL,
        )

    @declare_asset(
        dg.AssetCheckSpec(NAMES_READ, asset=SUBSCRIPTIONS, description="The subscriptions' names could be read."),
        "What subscriptions are called, where they lie and whose they are, as Azure Resource Manager lists them. A row "
        "for each time one is listed otherwise than before.",
    )
    def subscriptions(
        context: dg.AssetExecutionContext,
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        with explain_failures(context):
            yield from _materialize_subscriptions(context, get_connection(context), context.resources.warehouse.store)

    def asset_of(table: _RawTable) -> dg.AssetsDefinition:
        name = table.event_type.name
        key = dg.AssetKey(["raw", name])

        @declare_asset(
            dg.AssetCheckSpec(table.read_check, asset=key, description="One subscription could be read, or more."),
            table.description,
            deps=[table.deps],
        )
        def raw_asset(
            context: dg.AssetExecutionContext,
        ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
            problem = None
            done: dg.MaterializeResult[None] = dg.MaterializeResult(metadata={"subscriptions": 0, "read": False})
            try:
                with explain_failures(context):
                    done = _materialize(context, get_connection(context), context.resources.warehouse.store, table)
            except dg.RetryRequested:
                raise
            except dg.Failure as failed:
                # Not the step: what was read of the other event type would never be published. The run fails later.
                problem = failed.description
            except Exception as error:  # an event type costs itself alone, whatever it was
                log.debug("%s could not be read", name, exc_info=error)
                problem = explain(f"{name} could not be read ({type(error).__name__}).", "unforeseen")
            yield done
            yield dg.AssetCheckResult(
                check_name=table.read_check,
                passed=problem is None,
                severity=table.severity,
                description="\n".join(map(in_markdown, problem.splitlines()))
                if problem
                else "They could, or were not requested.",
            )

        return raw_asset

    return [subscriptions, *map(asset_of, _TABLES)]


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
        if (batch := get_batch(context)) is None or batch.number == 1:
            _warn_of_patterns(context, azure)
    else:
        try:
            run_id, part = get_run_id(context), _get_part(context, warehouse)
            listing = list_subscriptions(azure, warehouse, run_id, owner_tag, part=part)
        except AzureError as failed:  # the check says why, and so do the readings that fail for it
            error = str(failed)
            context.log.warning("The subscriptions could not be listed: no names are known in this run.")
        else:
            if listing:
                _warn_of_patterns(context, azure)
                with warehouse.get_reader() as connection:
                    columns = describe_columns(connection, "raw.subscriptions")
                metadata = {"dagster/column_schema": columns, **_describe_listing(listing)}
                is_discovered = azure.settings().scope.subscription_ids is None
                for what, names in listing.changes.items():
                    if not (is_discovered and what in _REPORTED_WITH_THE_SCOPE):
                        named = list_some(list(map(printable, names)), NAMED)
                        context.log.info("%s: %s", _CHANGES[what], named)
            else:
                metadata = {"is_listed_already": True}
                context.log.info("Another run of the sync has listed them.")
    yield dg.MaterializeResult(metadata=metadata)
    yield dg.AssetCheckResult(
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


def _is_stored(warehouse: Warehouse, run_id: str, event_type: EventType) -> bool:
    """Return whether the try before stored an event type; it may have ended before there was a file."""
    with warehouse.get_connection() as connection:
        run = {"run_id": run_id, "event_type": event_type.name}
        return has_rows(connection, "warehouse/count_stored_fetches", run)


def _materialize(
    context: dg.AssetExecutionContext, azure: AzureConnection, warehouse: Warehouse, table: _RawTable
) -> dg.MaterializeResult[None]:
    event_type = table.event_type
    if table.chosen_by not in azure.settings().event_types:
        context.log.info("SECSCORE_EVENT_TYPES does not name %s: nothing was read.", table.chosen_by.name)
        return dg.MaterializeResult(metadata={"subscriptions": 0, "read": False})
    started_at = utc_now()
    run_id, part = get_run_id(context), _get_part(context, warehouse)
    # Which metadata is stored already, the choice of what to read knows.
    if context.run.root_run_id and event_type is table.chosen_by and _is_stored(warehouse, run_id, event_type):
        context.log.info("The try before stored this event type: it is not read again.")
        return dg.MaterializeResult(metadata={"is_stored_already": True})
    taken = fetch_event_type(azure, warehouse, event_type, run_id, report=context.log.info, part=part)
    if taken.subscriptions and len(taken.errors) == taken.subscriptions:
        raise make_failure(context, _describe_unread(event_type, taken))
    for error in taken.errors:  # posture.read_results has them by cause, and the command line says each cause once
        context.log.debug("%s", error)
    with warehouse.get_reader() as connection:
        columns = describe_columns(connection, f"raw.{event_type.name}")
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
            "cloud": azure.cloud().description,
            "duration_seconds": round((utc_now() - started_at).total_seconds(), 3),
        }
    )


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
