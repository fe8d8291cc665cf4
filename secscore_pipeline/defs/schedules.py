"""What runs by the clock: a schedule for each feed, two for the upkeep, and from when an asset counts as late."""

from collections.abc import Iterator, Sequence
from datetime import UTC, timedelta
from typing import Any

import dagster as dg

from secscore_pipeline.azure.errors import AzureError, RequestError
from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.config.registry import SECSCORE_BATCH_SIZE, SECSCORE_SCHEDULES
from secscore_pipeline.config.schedules import check_schedule, longest_gap
from secscore_pipeline.defs.jobs import READING, sync_job
from secscore_pipeline.defs.maintenance import forget_old_runs, maintain
from secscore_pipeline.defs.partitions import BATCHES, BATCHES_OF_SYNC, BY_SCHEDULE, SYNC
from secscore_pipeline.ingest.batches import Batch, split_into_batches
from secscore_pipeline.ingest.connection import AzureConnection

GRACE = timedelta(hours=1)
"""How long a run may take before what it makes counts as late."""


def build_schedules(feeds: Sequence[Feed]) -> list[dg.ScheduleDefinition]:
    """Make the schedules: one for each feed, and two for the upkeep. They are off until they are switched on.

    Raises:
        SettingsError: SECSCORE_SCHEDULE or SECSCORE_TIMEZONE cannot be read.
    """
    return [
        *map(_build_feed_schedule, feeds),
        _build_schedule(forget_old_runs, "forget_old_runs", "0 3 * * 0", "UTC"),
        _build_schedule(maintain, "maintain", "0 4 * * 0", "UTC"),
    ]


def _build_feed_schedule(feed: Feed) -> dg.ScheduleDefinition:
    """Make a feed's schedule: a run, or with SECSCORE_BATCH_SIZE a run for each batch of its subscriptions."""
    check_schedule(feed)
    known = {"feed": feed.name, "owner": feed.owner, "contact": feed.contact}
    tags = BY_SCHEDULE | {f"secscore/{name}": text for name, text in known.items() if text}

    def run(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        if not SECSCORE_BATCH_SIZE.read():
            yield dg.RunRequest(partition_key=feed.partition, tags=tags)
            return
        sync_id = f"{feed.name}/{context.scheduled_execution_time.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
        batches = _list_batches_or_last_known(feed, context)
        for batch in batches:
            yield dg.RunRequest(
                run_key=f"{sync_id}/{batch.key}",
                partition_key=batch.key,
                asset_selection=READING,
                tags={**tags, SYNC: sync_id, BATCHES_OF_SYNC: str(len(batches))},
            )

    name = feed.partition or "sync_schedule"
    return _build_schedule(
        sync_job, name, feed.schedule, feed.time_zone, f"Reads the feed {feed.name}.", execution_fn=run, metadata=known
    )


def list_batches(feed: Feed, instance: dg.DagsterInstance) -> list[Batch]:
    """Return the batches that a feed's subscriptions are split into now, each known to Dagster as a partition.

    One batch where none is in scope any more: its run stores that, and fails with the reason.

    Raises:
        AzureError, SettingsError: the subscriptions could not be listed.
    """
    connection: AzureConnection = AzureConnection.of(feed)
    try:
        subscription_ids = connection.subscriptions(connection.listing())
    except RequestError as error:
        if error.failure != "nothing-in-scope":
            raise
        subscription_ids = ()
    batches = split_into_batches(feed.name, subscription_ids, SECSCORE_BATCH_SIZE.read() or 1) or [
        Batch(feed.name, 1, 1)
    ]
    instance.add_dynamic_partitions(BATCHES.name or "", [batch.key for batch in batches])
    return batches


def _list_batches_or_last_known(feed: Feed, context: dg.ScheduleEvaluationContext) -> list[Batch]:
    """Return the batches of a feed now; those known from before where its subscriptions cannot be listed just now.

    A tick that fails is not made up for, and nobody is alerted. A run is tried again, and its failure is reported.
    """
    try:
        return list_batches(feed, context.instance)
    except AzureError as error:
        known = map(Batch.of, context.instance.get_dynamic_partitions(BATCHES.name or ""))
        before = [batch for batch in known if batch.feed == feed.name]
        if not before:
            raise
        context.log.warning("The batches stay as they were, since the subscriptions could not be listed. %s", error)
        finest = max(batch.count for batch in before)
        return [batch for batch in before if batch.count == finest]


def _build_schedule(
    job: Any, name: str, cron: str, time_zone: str, description: str = "", **options: Any
) -> dg.ScheduleDefinition:
    is_on = SECSCORE_SCHEDULES.read()
    return dg.ScheduleDefinition(
        name=name,
        job=job,
        cron_schedule=cron,
        execution_timezone=time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING if is_on else dg.DefaultScheduleStatus.STOPPED,
        description=f"{description} Off until it is switched on.".strip() if not is_on else description,
        **options,
    )


def add_freshness_policy(assets: Sequence[dg.AssetsDefinition], feeds: Sequence[Feed]) -> list[dg.AssetsDefinition]:
    """Give assets a freshness policy by the schedules: late after a run was missed, stale after two were.

    Dagster's daemon judges it, and shows it in the UI.
    """
    gap = max(map(longest_gap, feeds))
    policy = dg.FreshnessPolicy.time_window(fail_window=2 * gap + GRACE, warn_window=gap + GRACE)

    def set_policy(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(freshness_policy=policy)

    return list(dg.map_asset_specs(set_policy, assets))
