"""What runs by itself: the job over every asset, its schedules, and a quiet logger for the command line."""

import logging

import dagster as dg

from secscore_pipeline.assets.tables import preview
from secscore_pipeline.clock import utc_now
from secscore_pipeline.diagnosis import State, diagnose, summary
from secscore_pipeline.resources import AzureConnection

sync_job = dg.define_asset_job(
    "sync",
    selection=dg.AssetSelection.all(),
    executor_def=dg.in_process_executor,
    description="Read every subscription, store what Azure answered, normalize it, and check it.",
)


@dg.op(description="Try settings, network, sign-in, subscriptions and each one's data; fails where something is wrong.")
def diagnosis(context: dg.OpExecutionContext, azure: AzureConnection) -> None:
    """Log each step of the diagnosis, and show them all as a table."""
    steps = []
    for step in diagnose(azure, utc_now):
        steps.append(step)
        log = context.log.error if step.state is State.FAILED else context.log.info
        log("%s", step.line)
    shown = preview([step.record for step in steps])
    wrong = [step for step in steps if step.state is State.FAILED]
    if wrong:
        raise dg.Failure(f"{summary(steps)} {wrong[0].says}", {"steps": shown}, allow_retries=False)
    context.add_output_metadata({"steps": shown, "summary": summary(steps)})


@dg.job(
    executor_def=dg.in_process_executor, description="Try the connection to Azure step by step. It changes nothing."
)
def test_connection() -> None:
    """Try the connection to Azure step by step."""
    diagnosis()


daily = dg.ScheduleDefinition(
    name="daily",
    job=sync_job,
    cron_schedule="0 5 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every day at 05:00 UTC. Off until it is switched on.",
)

hourly = dg.ScheduleDefinition(
    name="hourly",
    job=sync_job,
    cron_schedule="0 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every hour, UTC. Azure recomputes the score every 8 hours. Off until it is switched on.",
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
