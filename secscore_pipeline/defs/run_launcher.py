"""Dagster's runs and the processes that execute them: a run whose process is gone is found and failed."""

import time

import dagster as dg

from secscore_pipeline.defs.dagster_internals import (
    CheckRunHealthResult,
    LaunchRunContext,
    WorkerStatus,
    code_server_is_local,
    is_executed_by_code_server,
    process_of_run,
)
from secscore_pipeline.system.processes import ProcessIdentity

PROCESS_TAG = "secscore/process"
"""The tag of a run that says which process executes it."""

_NOTED_WITHIN = 5.0
"""Seconds in which a run's process, which has started, reports its id."""


class HostRunLauncher(dg.DefaultRunLauncher):
    """Dagster's default launcher, which also reports whether a run's process is still there.

    Dagster's run monitoring calls it for each run that has started, fails one whose process is gone, and with that
    lets the queue move on. An instance file names it as its `run_launcher`, by module and class. A process that nobody
    here can see, such as one on another machine, counts as there.
    """

    def launch_run(self, context: LaunchRunContext) -> None:
        """Launch a run and note which process executes it."""
        super().launch_run(context)
        run = context.dagster_run
        # The tag that says where its code server is was added by launching it.
        launched = self._instance.get_run_by_id(run.run_id) or run
        if not code_server_is_local(launched):
            return
        until = time.monotonic() + _NOTED_WITHIN
        while not (pid := process_of_run(self._instance, run.run_id)) and time.monotonic() < until:
            time.sleep(0.05)  # between two questions to the event log
        if pid:
            _note_process(self._instance, run.run_id, pid)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether run monitoring may call it: it may."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Return whether a run's process is there.

        Args:
            run: one that has started and not ended.
        """
        process = ProcessIdentity.parse(run.tags.get(PROCESS_TAG, ""))
        if process and process.is_on_this_host:
            is_there: bool | None = process.is_alive
        else:
            is_there = is_executed_by_code_server(run)
            if is_there is None and process is None and code_server_is_local(run):
                is_there = self._note_late(run)
        if is_there is False:
            return CheckRunHealthResult(WorkerStatus.FAILED, "The process that executed the run is gone.")
        return CheckRunHealthResult(WorkerStatus.RUNNING)

    def _note_late(self, run: dg.DagsterRun) -> bool:
        """Note the process of a run whose launch was cut short before that; return whether there is one."""
        pid = process_of_run(self._instance, run.run_id)
        return pid is not None and _note_process(self._instance, run.run_id, pid)


def _note_process(instance: dg.DagsterInstance, run_id: str, pid: int) -> bool:
    """Note which process executes a run; return False where there is no such process."""
    identity = ProcessIdentity.of(pid)
    if identity:
        instance.add_run_tags(run_id, {PROCESS_TAG: str(identity)})
    return identity is not None
