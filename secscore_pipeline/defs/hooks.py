"""What a run does when it has failed, and when it tried to read which feed."""

from collections.abc import Mapping
from datetime import datetime

import dagster as dg

from secscore_pipeline.alerts.signals import signal_attempts
from secscore_pipeline.clock import Clock, utc_now
from secscore_pipeline.config.feeds import DEFAULT_NAME
from secscore_pipeline.config.registry import SECSCORE_BATCH_SIZE
from secscore_pipeline.ingest.batches import Batch


@dg.failure_hook(name="signal_failure", required_resource_keys={"warehouse"})
def signal_failure(context: dg.HookContext) -> None:
    """Write the metrics of a run that fails: when a feed was tried to be read, and how old what is known is."""
    run = context.instance.get_run_by_id(context.run_id)
    if run:
        signal_attempts(context.log, context.resources.warehouse.store, get_attempts(run))


def get_attempts(run: dg.DagsterRun, clock: Clock = utc_now) -> Mapping[str, datetime]:
    """Return the feed that a run has just tried to read, with the present time; nothing where it reads none."""
    partition = run.tags.get("dagster/partition")
    feed = run.tags.get("secscore/feed")
    if partition:
        feed = Batch.of(partition).feed if SECSCORE_BATCH_SIZE.read() else partition
    elif feed is None and not SECSCORE_BATCH_SIZE.read():
        feed = DEFAULT_NAME
    return {feed: clock()} if feed else {}
