"""What runs by itself: the job over every asset, its schedules, and a quiet logger for the command line."""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, timedelta
from typing import Any

import dagster as dg

from secscore_pipeline.azure.errors import AzureError, RequestError
from secscore_pipeline.clock import utc_now
from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.config.schedules import check_schedule, longest_gap
from secscore_pipeline.config.settings import EXPORTS, batch_size, schedules_are_on
from secscore_pipeline.defs.assets.exports import key_of
from secscore_pipeline.defs.assets.ocsf import FINDINGS
from secscore_pipeline.defs.assets.posture import DATABASE
from secscore_pipeline.defs.assets.raw import BATCHES, CONTROLS, ROUND, SCORES, SHOWS, SUBSCRIPTIONS
from secscore_pipeline.defs.assets.report import REPORT
from secscore_pipeline.defs.dagster_internals import (
    AUTO_RETRY_RUN_ID_TAG,
    WILL_RETRY_TAG,
)
from secscore_pipeline.defs.maintenance import forget_old_runs, maintain
from secscore_pipeline.defs.metadata import preview
from secscore_pipeline.defs.signals import signal_failure
from secscore_pipeline.ingest.batches import Batch, dealt
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline.ingest.connection_test import State, Step, diagnose, summary

GRACE = timedelta(hours=1)
"""How long a run may take before what it makes counts as late."""

LOOKED_BACK = timedelta(days=2)
"""How old the runs are at most that are looked at for rounds that have ended."""

READING = [SUBSCRIPTIONS, SCORES, CONTROLS, FINDINGS]
"""What the run of a batch makes."""

SHOWING = [DATABASE, REPORT, *map(key_of, EXPORTS)]
"""What is made once of a whole round."""

BATCHES_OF_ROUND = "secscore/batches"
"""The tag that says how many batches the round of a run has."""

BY_SENSOR = {"secscore/started_by": "sensor"}

sync_job = dg.define_asset_job(
    "sync",
    selection=dg.AssetSelection.all(),
    executor_def=dg.in_process_executor,
    hooks={signal_failure},
    description="Read every subscription, store what Azure answered, normalize it, and check it.",
)


def test_connection(feeds: Sequence[Feed]) -> dg.JobDefinition:
    """Make the job that tries the connection of every feed, step by step. It changes nothing."""

    @dg.op(
        description="Try settings, network, sign-in, subscriptions and their data; fails where something is wrong.",
        required_resource_keys={feed.resource_key for feed in feeds},
    )
    def diagnosis(context: dg.OpExecutionContext) -> None:
        steps: list[Step] = []
        for feed in feeds:
            for step in diagnose(getattr(context.resources, feed.resource_key), utc_now):
                steps.append(step)
                log = context.log.error if step.state is State.FAILED else context.log.info
                log("%s: %s", feed.name, step.line)
        shown = preview([step.record for step in steps])
        wrong = [step for step in steps if step.state is State.FAILED]
        if wrong:
            raise dg.Failure(f"{summary(steps)} {wrong[0].says}", {"steps": shown}, allow_retries=False)
        context.add_output_metadata({"steps": shown, "summary": summary(steps)})

    @dg.job(
        name="test_connection",
        executor_def=dg.in_process_executor,
        description="Try the connection to Azure step by step. It changes nothing.",
    )
    def tried() -> None:
        diagnosis()

    return tried


def schedules(feeds: Sequence[Feed]) -> list[dg.ScheduleDefinition]:
    """Make the schedules: one for each feed, and two for the upkeep. They are off until they are switched on.

    Raises:
        SettingsError: SECSCORE_SCHEDULE or SECSCORE_TIMEZONE cannot be read.
    """
    return [
        *map(_schedule_of, feeds),
        _scheduled(forget_old_runs, "forget_old_runs", "0 3 * * 0", "UTC"),
        _scheduled(maintain, "maintain", "0 4 * * 0", "UTC"),
    ]


def _schedule_of(feed: Feed) -> dg.ScheduleDefinition:
    """Make a feed's schedule: a run, or with SECSCORE_BATCH_SIZE a run for each batch of its subscriptions."""
    check_schedule(feed)
    known = {"feed": feed.name, "owner": feed.owner, "contact": feed.contact}
    tags = {"secscore/started_by": "schedule"}
    tags |= {f"secscore/{name}": text for name, text in known.items() if text}

    def run(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        if not batch_size():
            yield dg.RunRequest(partition_key=feed.partition, tags=tags)
            return
        round_id = f"{feed.name}/{context.scheduled_execution_time.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
        batches = _round_or_the_one_before(feed, context)
        for batch in batches:
            yield dg.RunRequest(
                run_key=f"{round_id}/{batch.key}",
                partition_key=batch.key,
                asset_selection=READING,
                tags={**tags, ROUND: round_id, BATCHES_OF_ROUND: str(len(batches))},
            )

    name = feed.partition or "sync_schedule"
    return _scheduled(
        sync_job, name, feed.schedule, feed.time_zone, f"Reads the feed {feed.name}.", execution_fn=run, metadata=known
    )


def round_of(feed: Feed, instance: dg.DagsterInstance) -> list[Batch]:
    """Return the batches that a feed's subscriptions are dealt into now, each known to Dagster as a partition.

    One batch where none is in scope any more: its run stores that, and fails with the reason.

    Raises:
        AzureError, SettingsError: the subscriptions could not be listed.
    """
    connection: AzureConnection = AzureConnection.of(feed)
    try:
        subscription_ids = connection.subscriptions(connection.directory())
    except RequestError as error:
        if error.failure != "nothing-in-scope":
            raise
        subscription_ids = ()
    batches = dealt(feed.name, subscription_ids, batch_size() or 1) or [Batch(feed.name, 1, 1)]
    instance.add_dynamic_partitions(BATCHES.name or "", [batch.key for batch in batches])
    return batches


def _round_or_the_one_before(feed: Feed, context: dg.ScheduleEvaluationContext) -> list[Batch]:
    """Return the batches of a feed now; those known from before where its subscriptions cannot be listed just now.

    A tick that fails is made up for by nothing, and nobody is told. A run is tried again, and its failure is told.
    """
    try:
        return round_of(feed, context.instance)
    except AzureError as error:
        known = map(Batch.of, context.instance.get_dynamic_partitions(BATCHES.name or ""))
        before = [batch for batch in known if batch.feed == feed.name]
        if not before:
            raise
        context.log.warning("The subscriptions are dealt as before, since they could not be listed. %s", error)
        finest = max(batch.count for batch in before)
        return [batch for batch in before if batch.count == finest]


def whole_rounds() -> list[dg.SensorDefinition]:
    """Make the sensor that publishes and reports once every batch of a round has ended; none without batches."""
    if not batch_size():
        return []

    @dg.sensor(
        name="whole_rounds",
        job=sync_job,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING if schedules_are_on() else dg.DefaultSensorStatus.STOPPED,
        description="Publishes, reports and exports once all batches of a round have ended.",
    )
    def ended(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        by_schedule = {"secscore/started_by": "schedule"}
        asked = dg.RunsFilter(tags=by_schedule, created_after=utc_now() - LOOKED_BACK)
        rounds: dict[str, list[dg.DagsterRun]] = {}
        for run in context.instance.get_runs(asked):
            if ROUND in run.tags:
                rounds.setdefault(run.tags[ROUND], []).append(run)
        requests = [
            # Once for so many runs: a batch that somebody starts again later is published too.
            dg.RunRequest(
                run_key=f"{round_id}/{len(runs)}", asset_selection=SHOWING, tags={**BY_SENSOR, SHOWS: round_id}
            )
            for round_id, runs in rounds.items()
            if _is_whole(runs, retries_are_on=context.instance.run_retries_enabled)
        ]
        return dg.SensorResult(run_requests=requests)

    return [ended]


def _is_whole(runs: Sequence[dg.DagsterRun], *, retries_are_on: bool) -> bool:
    """Tell whether the runs of a round have all been started, and have all ended, with none to be tried again."""
    started = {run.tags.get("dagster/partition") for run in runs}
    return len(started) >= int(runs[0].tags[BATCHES_OF_ROUND]) and all(
        run.is_finished and not _is_tried_again(run, retries_are_on=retries_are_on) for run in runs
    )


def _is_tried_again(run: dg.DagsterRun, *, retries_are_on: bool) -> bool:
    """Tell whether Dagster may start a run once more that failed, and has not yet; it says so a moment after."""
    said = run.tags.get(WILL_RETRY_TAG, "true" if run.is_failure and retries_are_on else "false")
    return said == "true" and AUTO_RETRY_RUN_ID_TAG not in run.tags


def _scheduled(
    job: Any, name: str, cron: str, time_zone: str, description: str = "", **options: Any
) -> dg.ScheduleDefinition:
    is_on = schedules_are_on()
    return dg.ScheduleDefinition(
        name=name,
        job=job,
        cron_schedule=cron,
        execution_timezone=time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING if is_on else dg.DefaultScheduleStatus.STOPPED,
        description=f"{description} Off until it is switched on.".strip() if not is_on else description,
        **options,
    )


def fresh(assets: Sequence[dg.AssetsDefinition], feeds: Sequence[Feed]) -> list[dg.AssetsDefinition]:
    """Give assets a freshness policy by the schedules: late after a run was missed, stale after two were.

    Dagster's daemon judges it, and shows it in the UI.
    """
    gap = max(map(longest_gap, feeds))
    policy = dg.FreshnessPolicy.time_window(fail_window=2 * gap + GRACE, warn_window=gap + GRACE)

    def judged(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(freshness_policy=policy)

    return list(dg.map_asset_specs(judged, assets))


class _OurWords(logging.Formatter):
    """Prints what an asset said, without the run and step that Dagster puts before it."""

    def format(self, record: logging.LogRecord) -> str:
        return str(getattr(record, "dagster_meta", {}).get("orig_message") or record.getMessage())


def _is_ours(record: logging.LogRecord) -> bool:
    """Let through what the assets say; Dagster's events and its word on failures are shown by the caller."""
    return record.levelno < logging.ERROR and getattr(record, "dagster_meta", {}).get("dagster_event") is None


def _plain_logger(_: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger("secscore", min(logging.INFO, logging.getLogger(__name__).getEffectiveLevel()))
    handler = logging.StreamHandler()
    handler.addFilter(_is_ours)
    handler.setFormatter(_OurWords())
    logger.addHandler(handler)
    return logger


plain_logger = dg.LoggerDefinition(
    _plain_logger,
    config_schema={},
    description="What the assets say, a line each, on standard error, for the command line.",
)
