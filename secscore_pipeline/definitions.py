"""The front door: gathers assets, checks, jobs and resources into one Definitions, and decides nothing."""

import dagster as dg

from secscore_pipeline.assets.findings import assessment_findings
from secscore_pipeline.assets.raw import secure_score_controls, secure_scores
from secscore_pipeline.automation import daily, hourly, plain_logger, sync_job, test_connection
from secscore_pipeline.checks import asset_checks
from secscore_pipeline.resources import AzureConnection, Warehouse

defs = dg.Definitions(
    assets=[secure_scores, secure_score_controls, assessment_findings],
    asset_checks=asset_checks,
    jobs=[sync_job, test_connection],
    schedules=[daily, hourly],
    resources={"azure": AzureConnection.from_environment(), "warehouse": Warehouse.from_environment()},
    loggers={"plain": plain_logger},
    executor=dg.in_process_executor,
)
