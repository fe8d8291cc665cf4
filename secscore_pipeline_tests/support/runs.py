"""Runs of the whole job, or of some of its assets, and what Dagster shows of them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator

from secscore_pipeline.config.feeds import read_feeds
from secscore_pipeline.definitions import build_definitions
from secscore_pipeline.defs.jobs import READING
from secscore_pipeline.defs.runner import execute_run


@contextmanager
def instance_and_job() -> Iterator[tuple[dg.DagsterInstance, dg.JobDefinition]]:
    """Yield an instance of Dagster that leaves nothing behind, and the job by the settings of the environment."""
    with dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}) as instance:
        yield instance, build_definitions(read_feeds()).resolve_job_def("sync")


def materialize(selection: dg.AssetSelection) -> dg.ExecuteInProcessResult:
    """Make some assets in a run of their own, by the settings of the environment."""
    keys = selection.resolve(build_definitions(read_feeds()).resolve_asset_graph())
    with instance_and_job() as (instance, job):
        return execute_run(job, instance, asset_selection=sorted(keys))


def try_again(
    instance: dg.DagsterInstance, job: dg.JobDefinition, run_id: str, tags: Mapping[str, str] | None = None
) -> dg.DagsterRun:
    """Repeat a run of what is read, as Dagster does by itself or when somebody asks for it; return the new run."""
    again = instance.create_run_for_job(
        job, tags=dict(tags or {}), asset_selection=frozenset(READING), parent_run_id=run_id, root_run_id=run_id,
        run_config={"loggers": {"plain": {}}},
    )  # fmt: skip
    assert list(execute_run_iterator(InMemoryJob(job), again, instance))
    ended = instance.get_run_by_id(again.run_id)
    assert ended
    return ended


def metadata_of(result: dg.ExecuteInProcessResult, asset: dg.AssetKey) -> Mapping[str, Any]:
    """Return what Dagster shows of an asset that a run has materialized once."""
    (found,) = [one for one in result.get_asset_materialization_events() if one.asset_key == asset]
    return found.materialization.metadata
