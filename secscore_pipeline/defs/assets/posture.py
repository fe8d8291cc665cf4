"""The posture layer: the database that analysts read, published whole after each run."""

import dagster as dg

from secscore_pipeline.alerts.signals import signal_sync
from secscore_pipeline.clock import utc_now
from secscore_pipeline.config.registry import SECSCORE_BATCH_SIZE
from secscore_pipeline.defs.assets.ocsf import FINDINGS, describe_newest_sync
from secscore_pipeline.defs.assets.raw import get_run_id
from secscore_pipeline.defs.hooks import get_attempts
from secscore_pipeline.defs.metadata import OWNERS, POOL, explain_failures, make_preview
from secscore_pipeline.defs.partitions import PUBLISHES
from secscore_pipeline.defs.resources import WarehouseResource
from secscore_pipeline.posture.coverage import read_coverage
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.statements import select_rows

DATABASE = dg.AssetKey(["posture", "database"])


@dg.asset(
    key=DATABASE,
    deps=[FINDINGS],
    group_name="posture",
    kinds={"duckdb"},
    owners=OWNERS,
    pool=POOL,
)
def database(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
    """Publish the DuckDB file for readers, with every table and view: never locked, and replaced as a whole.

    Who has it open reads on undisturbed; who opens it sees all of a run, or nothing of it.
    """
    started_at = utc_now()
    with explain_failures(context):
        published = warehouse.store.publish()
        with warehouse.store.get_published() as connection:
            counts = select_rows(connection, load_sql("posture/count_rows"))
            coverage = read_coverage(connection)
            newest = connection.execute("select max(observed_at) from raw.fetches").fetchone()
            sync = describe_newest_sync(connection) if SECSCORE_BATCH_SIZE.read() else {}
    for warning in published.warnings:
        context.log.warning("%s", warning)
    context.log.info("published: %s (%.1f MB)", warehouse.store.label, published.size / 1e6)
    sync_id = context.run.tags.get(PUBLISHES) or get_run_id(context)
    signal_sync(context.log, warehouse.store, get_attempts(context.run), sync_id)
    return dg.MaterializeResult(
        metadata={
            "database": dg.MetadataValue.path(warehouse.store.label),
            "bytes": published.size,
            **coverage.metadata,
            "tables": make_preview(counts),
            "newest_fetch": str(newest[0]) if newest else "",
            **sync,
            "duration_seconds": round((utc_now() - started_at).total_seconds(), 3),
        }
    )
