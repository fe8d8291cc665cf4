"""The upkeep of what grows with the years: jobs that keep the store small, and delete what is old."""

from datetime import UTC, datetime, time

import dagster as dg

from secscore_pipeline.clock import utc_now
from secscore_pipeline.config.registry import SECSCORE_RETENTION_DAYS, SECSCORE_RUN_RETENTION_DAYS
from secscore_pipeline.defs.dagster_internals import delete_run
from secscore_pipeline.defs.metadata import POOL, explain_failures
from secscore_pipeline.defs.resources import WarehouseResource
from secscore_pipeline.warehouse.errors import WarehouseError
from secscore_pipeline.warehouse.retention import compute_oldest_kept


@dg.op(
    pool=POOL,
    description="Compact the database, and delete fetches older than SECSCORE_RETENTION_DAYS where that is set.",
)
def compaction(context: dg.OpExecutionContext, warehouse: WarehouseResource) -> None:
    """Keep the store small and publish it, and say what that gained."""
    with explain_failures(context):
        days = SECSCORE_RETENTION_DAYS.read()
        try:
            done = warehouse.store.maintain(utc_now(), days)
        except WarehouseError as error:
            if error.failure != "database-absent":
                raise
            context.log.info("%s", error)  # before the first sync there is nothing to do, and nothing is wrong
            return
    for warning in done.warnings:
        context.log.warning("%s", warning)
    if done.cutoff:
        context.log.info("What was observed before %s is deleted.", f"{done.cutoff:%Y-%m-%d %H:%M} UTC")
    context.log.info("%.1f MB became %.1f MB", done.before / 1e6, done.after / 1e6)
    context.add_output_metadata({"bytes_before": done.before, "bytes": done.after})


@dg.job(
    executor_def=dg.in_process_executor,
    description="Compact the database, and delete old fetches (SECSCORE_RETENTION_DAYS).",
)
def maintain() -> None:
    """Do what `secscore maintain` does."""
    compaction()


@dg.op(description="Delete Dagster's record of runs that ended before SECSCORE_RUN_RETENTION_DAYS; no data of ours.")
def old_runs(context: dg.OpExecutionContext) -> None:
    """Delete the record of old runs, and say how many there were."""
    with explain_failures(context):
        days = SECSCORE_RUN_RETENTION_DAYS.read()
    if days is None:
        context.log.info("%s is empty: every run is kept.", SECSCORE_RUN_RETENTION_DAYS.name)
        return
    forgotten = delete_runs(context.instance, find_oldest_kept_run(context.instance, days))
    context.log.info("%d runs from more than %d days before the newest are forgotten.", forgotten, days)


def find_oldest_kept_run(instance: dg.DagsterInstance, days: int) -> datetime:
    """Return the moment, UTC, before which runs are deleted: so many days before the newest one."""
    started = {record.create_timestamp.astimezone(UTC).date() for record in instance.get_run_records()}
    newest_first = sorted(started or {utc_now().date()}, reverse=True)
    return datetime.combine(compute_oldest_kept(newest_first, days), time(), UTC)


def delete_runs(instance: dg.DagsterInstance, before: datetime) -> int:
    """Delete Dagster's record of the runs that were started before an instant and have ended; return how many."""
    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    old = dg.RunsFilter(statuses=ended, created_before=before)
    forgotten = 0
    while records := instance.get_run_records(old, limit=100):
        for record in records:
            delete_run(instance, record.dagster_run.run_id)
        forgotten += len(records)
    return forgotten


@dg.job(
    executor_def=dg.in_process_executor,
    description="Delete old runs (SECSCORE_RUN_RETENTION_DAYS).",
)
def forget_old_runs() -> None:
    """Delete Dagster's records of old runs."""
    old_runs()
