"""A quiet logger for the command line: what the assets say, a line each."""

import logging

import dagster as dg


class _MessageFormatter(logging.Formatter):
    """Prints what an asset said, without the run and step that Dagster puts before it."""

    def format(self, record: logging.LogRecord) -> str:
        return str(getattr(record, "dagster_meta", {}).get("orig_message") or record.getMessage())


def _is_ours(record: logging.LogRecord) -> bool:
    """Show what the assets log; Dagster's events and its word on failures are shown by the caller."""
    return record.levelno < logging.ERROR and getattr(record, "dagster_meta", {}).get("dagster_event") is None


def _plain_logger(_: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger("secscore", min(logging.INFO, logging.getLogger(__name__).getEffectiveLevel()))
    handler = logging.StreamHandler()
    handler.addFilter(_is_ours)
    handler.setFormatter(_MessageFormatter())
    logger.addHandler(handler)
    return logger


plain_logger = dg.LoggerDefinition(
    _plain_logger,
    config_schema={},
    description="What the assets say, a line each, on standard error, for the command line.",
)
