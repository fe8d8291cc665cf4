"""One event type by itself, as tests read it that set the time of a fetch."""

import logging
from collections.abc import Callable

from secscore_pipeline.azure.event_types import EventType
from secscore_pipeline.clock import Clock, utc_now
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline.ingest.fetches import FetchSummary, fetch_event_types
from secscore_pipeline.warehouse.warehouse import Warehouse

log = logging.getLogger(__name__)


def fetch_event_type(
    azure: AzureConnection,
    warehouse: Warehouse,
    event_type: EventType,
    run_id: str,
    clock: Clock = utc_now,
    report: Callable[[str], object] = log.info,
) -> FetchSummary:
    """Read every subscription for one event type and store it; return what was read."""
    ((_, taken),) = fetch_event_types(azure, warehouse, [event_type], run_id, clock, report)
    return taken
