"""The front door: gathers assets, checks, jobs and resources into one Definitions, and decides nothing."""

from collections.abc import Sequence

import dagster as dg

from secscore_pipeline.config.checking import check_settings
from secscore_pipeline.config.feeds import Feed, configured_feeds
from secscore_pipeline.defs.asset_checks import asset_checks
from secscore_pipeline.defs.assets.exports import export_assets
from secscore_pipeline.defs.assets.ocsf import assessment_findings
from secscore_pipeline.defs.assets.posture import database
from secscore_pipeline.defs.assets.raw import raw_assets
from secscore_pipeline.defs.assets.report import report
from secscore_pipeline.defs.jobs import sync_job, test_connection
from secscore_pipeline.defs.logger import plain_logger
from secscore_pipeline.defs.maintenance import forget_old_runs, maintain
from secscore_pipeline.defs.resources import connection_resource, io_manager_resource, warehouse_resource
from secscore_pipeline.defs.schedules import fresh, schedules
from secscore_pipeline.defs.sensors import sensors, whole_rounds


def gathered(feeds: Sequence[Feed]) -> dg.Definitions:
    """Return the definitions that read these feeds."""
    return dg.Definitions(
        assets=fresh([*raw_assets(feeds), assessment_findings, database, report, *export_assets()], feeds),
        asset_checks=asset_checks(feeds),
        jobs=[sync_job, test_connection(feeds), maintain, forget_old_runs],
        schedules=schedules(feeds),
        sensors=[*sensors(feeds), *whole_rounds()],
        resources={
            **{feed.resource_key: connection_resource(feed) for feed in feeds},
            "warehouse": warehouse_resource(),
            "io_manager": io_manager_resource(),
        },
        loggers={"plain": plain_logger},
        executor=dg.in_process_executor,
    )


check_settings(configured_feeds)
defs = gathered(configured_feeds())
