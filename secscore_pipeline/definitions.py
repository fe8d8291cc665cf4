"""The front door: gathers assets, checks, jobs and resources into one Definitions, and decides nothing."""

from collections.abc import Sequence

import dagster as dg

from secscore_pipeline.config.checking import check_settings
from secscore_pipeline.config.feeds import Feed, read_feeds
from secscore_pipeline.defs.asset_checks import build_asset_checks
from secscore_pipeline.defs.assets.exports import build_export_assets
from secscore_pipeline.defs.assets.ocsf import assessment_findings
from secscore_pipeline.defs.assets.posture import database
from secscore_pipeline.defs.assets.raw import build_raw_assets
from secscore_pipeline.defs.assets.report import report
from secscore_pipeline.defs.jobs import sync_job, test_connection
from secscore_pipeline.defs.logger import plain_logger
from secscore_pipeline.defs.maintenance import forget_old_runs, maintain
from secscore_pipeline.defs.resources import (
    build_connection_resource,
    build_io_manager_resource,
    build_warehouse_resource,
)
from secscore_pipeline.defs.schedules import add_freshness_policy, build_schedules
from secscore_pipeline.defs.sensors import build_alert_sensors, build_sync_sensor


def build_definitions(feeds: Sequence[Feed]) -> dg.Definitions:
    """Return the definitions that read these feeds."""
    return dg.Definitions(
        assets=add_freshness_policy(
            [*build_raw_assets(feeds), assessment_findings, database, report, *build_export_assets()], feeds
        ),
        asset_checks=build_asset_checks(feeds),
        jobs=[sync_job, test_connection(feeds), maintain, forget_old_runs],
        schedules=build_schedules(feeds),
        sensors=[*build_alert_sensors(feeds), *build_sync_sensor()],
        resources={
            **{feed.resource_key: build_connection_resource(feed) for feed in feeds},
            "warehouse": build_warehouse_resource(),
            "io_manager": build_io_manager_resource(),
        },
        loggers={"plain": plain_logger},
        executor=dg.in_process_executor,
    )


check_settings(read_feeds)
defs = build_definitions(read_feeds())
