"""How a run ends whose process is stopped."""

import dagster as dg


def report_run_stopped(instance: dg.DagsterInstance, run_id: str) -> None:
    """Note that a run was stopped, where it has not noted so itself: canceled where it was requested, else failed."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return
    if run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, "The run was canceled. Its process did not wait for the current step.")
    else:
        instance.report_run_failed(run, "The run was stopped: its process got a signal to end.")
