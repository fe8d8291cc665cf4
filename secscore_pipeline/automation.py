"""What runs by itself: the job over every asset, its schedules, and a quiet logger for the command line."""

import logging
from collections.abc import Sequence

import dagster as dg

from secscore_pipeline.assets.tables import preview
from secscore_pipeline.clock import utc_now
from secscore_pipeline.diagnosis import State, Step, diagnose, summary
from secscore_pipeline.feeds import DAILY, Feed

sync_job = dg.define_asset_job(
    "sync",
    selection=dg.AssetSelection.all(),
    executor_def=dg.in_process_executor,
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
    """Make the schedules: daily and hourly for one feed, or each feed's own of feeds.yaml. All are off."""
    if feeds[0].partition:
        return [_schedule_of(feed) for feed in feeds]
    return [
        dg.ScheduleDefinition(
            name=name,
            job=sync_job,
            cron_schedule=cron,
            execution_timezone="UTC",
            default_status=dg.DefaultScheduleStatus.STOPPED,
            description=f"{when} Off until it is switched on.",
        )
        for name, cron, when in (
            ("daily", DAILY, "Every day at 05:00 UTC."),
            ("hourly", "0 * * * *", "Every hour, UTC. Azure recomputes the score every 8 hours."),
        )
    ]


def _schedule_of(feed: Feed) -> dg.ScheduleDefinition:
    known = {"feed": feed.name, "owner": feed.owner, "contact": feed.contact}
    tags = {f"secscore/{name}": text for name, text in known.items() if text}

    def run(_: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(partition_key=feed.partition, tags=tags)

    return dg.ScheduleDefinition(
        name=feed.name,
        job=sync_job,
        cron_schedule=feed.schedule,
        execution_timezone=feed.time_zone,
        execution_fn=run,
        metadata=known,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"Reads the feed {feed.name}. Off until it is switched on.",
    )


class _OurWords(logging.Formatter):
    """Prints what an asset said, without the run and step that Dagster puts before it."""

    def format(self, record: logging.LogRecord) -> str:
        return str(getattr(record, "dagster_meta", {}).get("orig_message") or record.getMessage())


def _is_ours(record: logging.LogRecord) -> bool:
    """Let through what the assets say; Dagster's events and its word on failures are shown by the caller."""
    return record.levelno < logging.ERROR and getattr(record, "dagster_meta", {}).get("dagster_event") is None


def _plain_logger(_: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger("secscore", logging.INFO)
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
