"""Workers: processes on any machine that take runs from a queue, by Dagster's launcher for Celery."""

import logging
import os
import socket
from importlib import import_module
from threading import Event, Thread

import dagster as dg
from celery import Celery
from redis import RedisError

from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.defs.celery_internals import (
    DAGSTER_CELERY_TASK_ID_TAG,
    CeleryRunLauncher,
    create_execute_job_task,
)
from secscore_pipeline.defs.dagster_internals import CheckRunHealthResult, DagsterHomeNotSetError, WorkerStatus
from secscore_pipeline.errors import explain

log = logging.getLogger(__name__)

ANSWERS_WITHIN = 10.0
"""Seconds after which a worker that does not say that it is there counts as gone."""

SAYS_SO_EVERY = 3.0
"""Seconds between two signs of life that a worker leaves at the broker."""


class WatchedRunLauncher(CeleryRunLauncher):
    """Dagster's launcher for Celery, which also recognizes a run whose worker is gone.

    Celery notes who began a run and nothing more until it ends: of a machine that has disappeared it would say for ever
    that it is running. A run whose process alone was killed is reported by Celery itself.
    """

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Return how a run's worker is. Run monitoring fails a run whose worker is gone, and retries it.

        Args:
            run: one that has started.
        """
        found = super().check_run_worker_health(run)
        if found.status is not WorkerStatus.RUNNING:
            return found
        noted = self.celery.AsyncResult(run.tags[DAGSTER_CELERY_TASK_ID_TAG]).info
        worker = noted.get("hostname") if isinstance(noted, dict) else None  # the run may have ended just now
        if worker and not self._is_alive(worker):
            return CheckRunHealthResult(WorkerStatus.FAILED, f"The worker {worker} does not answer any more.")
        return found

    def _is_alive(self, worker: str) -> bool:
        """Return whether a worker is there: one that is stopping answers no more, but ends its run first."""
        if self.celery.backend.client.exists(_get_alive_key(worker)):
            return True
        return bool(self.celery.control.ping(destination=[worker], timeout=ANSWERS_WITHIN))


def _get_alive_key(worker: str) -> str:
    return f"secscore/lives/{worker}"


def _report_alive(app: Celery, worker: str, ended: Event) -> None:
    """Renew a key at the broker until the worker has ended; it expires soon after."""
    while not ended.wait(SAYS_SO_EVERY):
        try:
            app.backend.client.set(_get_alive_key(worker), 1, ex=int(ANSWERS_WITHIN))
        except RedisError as error:  # the worker waits for its broker, and says so itself
            log.info("The broker could not be told that %s is running (%s).", worker, type(error).__name__)


def run_worker(runs: int) -> None:
    """Take runs from the queue of the instance in DAGSTER_HOME until the process gets a signal to end.

    Args:
        runs: how many at once.

    Raises:
        SettingsError: there is no such instance, or its launcher has no queue.
    """
    try:
        with dg.DagsterInstance.get() as instance:
            launcher = instance.run_launcher
    except DagsterHomeNotSetError as error:
        raise SettingsError([explain("DAGSTER_HOME is not set.", "queue-missing")]) from error
    if not isinstance(launcher, CeleryRunLauncher):
        what = f"The runs of the instance in DAGSTER_HOME are launched by {type(launcher).__name__}."
        raise SettingsError([explain(what, "queue-missing")])
    app = launcher.celery
    create_execute_job_task(app)
    import_module("secscore_pipeline.definitions")  # each run begins as a copy of this process, and need not
    name, ended = f"secscore-{os.getpid()}@{socket.gethostname()}", Event()
    living = Thread(target=_report_alive, args=(app, name, ended), daemon=True)
    living.start()
    try:
        app.worker_main(  # type: ignore[no-untyped-call]
            [
                "worker",
                f"--concurrency={runs}",
                "--max-tasks-per-child=1",  # what a run took goes with it
                f"--hostname={name}",
                "--loglevel=INFO",
            ]
        )
    finally:
        ended.set()
        living.join()
