"""What runs by itself: the job over every asset, its schedules, and a quiet logger for the command line."""

import logging

import dagster as dg

sync_job = dg.define_asset_job(
    "sync",
    selection=dg.AssetSelection.all(),
    executor_def=dg.in_process_executor,
    description="Read every subscription, store what Azure answered, normalize it, and check it.",
)

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
