"""The raw layer: what Azure answered, as received, one asset an event type."""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import dagster as dg

from secscore_pipeline.assets.tables import OWNERS, column_schema, failures_explained
from secscore_pipeline.azure.clouds import Cloud
from secscore_pipeline.azure.errors import Outcome
from secscore_pipeline.azure.secure_score import (
    SECURE_SCORE_CONTROLS,
    SECURE_SCORES,
    EventType,
    Fetch,
    fetch_all,
)
from secscore_pipeline.clock import Clock, utc_now
from secscore_pipeline.resources import AzureConnection, Warehouse
from secscore_pipeline.warehouse.store import FetchRow, RecordRow, Spool, load_snapshot, spooled

LOOKED = {Outcome.COMPLETE, Outcome.NO_SCORE}
"""The outcomes that say how a subscription stands; every other one says that we could not look."""

WARNED = 20
"""How many subscriptions that could not be read are named in the log; `raw.fetches` has them all."""


def _raw_asset(event_type: EventType, description: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=["raw", event_type.name],
        group_name="raw",
        kinds={"azure", "duckdb"},
        owners=OWNERS,
        description=description,
        metadata={"dagster/table_name": f"raw.{event_type.name}"},
    )
    def raw_asset(
        context: dg.AssetExecutionContext, azure: AzureConnection, warehouse: Warehouse
    ) -> dg.MaterializeResult[None]:
        with failures_explained():
            return _materialize(context, azure, warehouse, event_type)

    return raw_asset


secure_scores = _raw_asset(
    SECURE_SCORES,
    "Every secure score of every subscription, as Azure Resource Manager sent it. Append-only: a row a record.",
)
secure_score_controls = _raw_asset(
    SECURE_SCORE_CONTROLS,
    "Every secure score control of every subscription, its definition included, as Azure Resource Manager sent "
    "it. Append-only: a row a record.",
)


class Snapshot(NamedTuple):
    """What a run's look at every subscription for one event type came to."""

    subscriptions: int
    outcomes: Counter[str]
    records: int
    requests: int
    errors: list[str]


def take_snapshot(
    azure: AzureConnection,
    warehouse: Warehouse,
    event_type: EventType,
    snapshot_id: str,
    clock: Clock = utc_now,
    tell: Callable[[str], object] = str,
) -> Snapshot:
    """Read every subscription with no database open, then load the snapshot in one transaction.

    Args:
        azure: whom to ask, about which subscriptions.
        warehouse: where to store the snapshot.
        event_type: what to read.
        snapshot_id: the run that looks.
        clock: tells the present time.
        tell: is told how far the reading is.

    Raises:
        AzureError, SettingsError, WarehouseError: each says what happened and what to do.
    """
    settings = azure.settings()
    with warehouse.get_connection():
        pass  # made, migrated and free to be written: better known before an hour of reading than after
    cloud = azure.cloud()
    subscription_ids = azure.subscriptions()
    total = len(subscription_ids)
    outcomes: Counter[str] = Counter()
    errors: list[str] = []
    records = requests = 0
    with spooled(warehouse.path) as spool:
        looks = fetch_all(azure.client(), event_type, subscription_ids, clock, settings.max_connections)
        for done, look in enumerate(looks, 1):
            _spool(spool, snapshot_id, settings.tenant_id, cloud, look)
            outcomes[look.outcome] += 1
            records += look.records
            requests += len(look.request_ids)
            if look.error and look.outcome not in LOOKED:
                errors.append(f"{look.subscription_id}: {look.error}")
            if done % max(total // 10, 25) == 0 or done == total:
                tell(f"{event_type.name}: {done} of {total} subscriptions read")
        spool.close()
        with warehouse.get_connection() as connection:
            load_snapshot(connection, spool, snapshot_id, event_type.name, clock())
    return Snapshot(total, outcomes, records, requests, errors)


def _materialize(
    context: dg.AssetExecutionContext, azure: AzureConnection, warehouse: Warehouse, event_type: EventType
) -> dg.MaterializeResult[None]:
    if event_type not in azure.settings().event_types:
        context.log.info("SECSCORE_EVENT_TYPES does not name %s: nothing was read.", event_type.name)
        return dg.MaterializeResult(metadata={"subscriptions": 0, "read": False})
    started_at = utc_now()
    taken = take_snapshot(azure, warehouse, event_type, context.run.run_id, tell=context.log.info)
    if taken.subscriptions and len(taken.errors) == taken.subscriptions:
        raise dg.Failure(_nothing_read(event_type, taken), allow_retries=False)
    for error in taken.errors[:WARNED]:
        context.log.warning("%s", error)
    with warehouse.get_reader() as connection:
        columns = column_schema(connection, f"raw.{event_type.name}")
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": taken.records,
            "dagster/column_schema": columns,
            "subscriptions": taken.subscriptions,
            "subscriptions_not_read": len(taken.errors),
            **{f"outcome_{outcome}": count for outcome, count in sorted(taken.outcomes.items())},
            "records": taken.records,
            "requests": taken.requests,
            "cloud": azure.cloud().described,
            "duration_seconds": round((utc_now() - started_at).total_seconds(), 3),
            "database": dg.MetadataValue.path(str(warehouse.path)),
        }
    )


def _spool(spool: Spool, snapshot_id: str, tenant_id: str, cloud: Cloud, look: Fetch) -> None:
    spool.add_fetch(
        FetchRow(
            snapshot_id=snapshot_id,
            tenant_id=tenant_id,
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
            arm_endpoint=cloud.arm_endpoint,
            cloud_partition=cloud.partition,
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
