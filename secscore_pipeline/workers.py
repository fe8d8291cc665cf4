"""Workers: processes on any machine that take runs from a queue, by Dagster's launcher for Celery."""

import os
from importlib import import_module

import dagster as dg
from dagster._core.errors import DagsterHomeNotSetError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from dagster_celery.tasks import create_execute_job_task

from secscore_pipeline.failures import explained
from secscore_pipeline.settings import SettingsError

ANSWERS_WITHIN = 10.0
"""Seconds after which a worker that does not say that it is there counts as gone."""


class WatchedRunLauncher(CeleryRunLauncher):
    """Dagster's launcher for Celery, which also tells a run whose worker is gone from one that goes on.

    Celery notes who began a run and nothing more until it ends: of a machine that has disappeared it would say for ever
    that it is running. A run whose process alone was killed is told by Celery itself.
    """

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Tell how a run's worker is; Dagster's run monitoring asks, fails the run of one that is gone, and retries it.

        Args:
            run: one that has started.
        """
        found = super().check_run_worker_health(run)
        if found.status is not WorkerStatus.RUNNING:
            return found
        noted = self.celery.AsyncResult(run.tags[DAGSTER_CELERY_TASK_ID_TAG]).info
        worker = noted.get("hostname") if isinstance(noted, dict) else None  # the run may have ended just now
        if worker and not self.celery.control.ping(destination=[worker], timeout=ANSWERS_WITHIN):
            return CheckRunHealthResult(WorkerStatus.FAILED, f"The worker {worker} does not answer any more.")
        return found


def work(runs: int) -> None:
    """Take runs from the queue of the instance in DAGSTER_HOME until the process is told to end.

    Args:
        runs: how many at once.

    Raises:
        SettingsError: there is no such instance, or its launcher has no queue.
    """
    try:
        with dg.DagsterInstance.get() as instance:
            launcher = instance.run_launcher
    except DagsterHomeNotSetError as error:
        raise SettingsError([explained("DAGSTER_HOME is not set.", "queue-missing")]) from error
    if not isinstance(launcher, CeleryRunLauncher):
        what = f"The runs of the instance in DAGSTER_HOME are launched by {type(launcher).__name__}."
        raise SettingsError([explained(what, "queue-missing")])
    app = launcher.celery
    create_execute_job_task(app)
    import_module("secscore_pipeline.definitions")  # each run begins as a copy of this process, and need not
    app.worker_main(  # type: ignore[no-untyped-call]
        [
            "worker",
            f"--concurrency={runs}",
            "--max-tasks-per-child=1",  # what a run took goes with it
            f"--hostname=secscore-{os.getpid()}@%h",
            "--loglevel=INFO",
        ]
    )
