"""What runs by what happens: alerts of what is new and of failed runs, and the end of a sync of batches."""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg

from secscore_pipeline.alerts.alert import Alert
from secscore_pipeline.alerts.journal import JournalError
from secscore_pipeline.alerts.notify import channels, send_alert, send_new_alerts
from secscore_pipeline.clock import utc_now
from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.registry import SECSCORE_BATCH_SIZE, SECSCORE_SCHEDULES
from secscore_pipeline.defs.dagster_internals import AUTO_RETRY_RUN_ID_TAG, WILL_RETRY_TAG
from secscore_pipeline.defs.jobs import SHOWING, sync_job
from secscore_pipeline.defs.partitions import BATCHES_OF_SYNC, BY_SCHEDULE, BY_SENSOR, PUBLISHES, SYNC
from secscore_pipeline.warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from secscore_pipeline.alerts.delivery import Delivery

EVERY = 60
"""How often the sensor of alerts runs, in seconds."""

LOOKED_BACK = timedelta(days=2)
"""How old the runs are at most that are searched for syncs that have ended."""


def build_alert_sensors(feeds: Sequence[Feed]) -> list[dg.SensorDefinition]:
    """Make the sensors of new alerts and of failed runs. They are off until they are switched on."""
    status = _get_default_status()

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=EVERY,
        default_status=status,
        description="Alerts Slack, Teams or a webhook of dropped scores, failed controls, lost coverage, overdue "
        "syncs, credentials that end, and the week's briefing: each once.",
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        return _deliver(context.log, lambda: send_new_alerts(feeds))

    @dg.run_failure_sensor(
        name="failed_runs",
        default_status=status,
        description="Alerts Slack, Teams or a webhook of each run that failed, why, and what to do.",
    )
    def failed_runs(context: dg.RunFailureSensorContext) -> dg.SkipReason:
        return _deliver(context.log, lambda: send_alert(make_failed_run_alert(context)))

    return [alerts, failed_runs]


def make_failed_run_alert(context: dg.RunFailureSensorContext) -> Alert:
    """Return the alert of a run that failed: the first sentence of each failed step, which holds its resolution."""
    run = context.dagster_run
    steps = [event.step_failure_data for event in context.get_step_failure_events()]
    said = [
        step.user_failure_data.description
        if step.user_failure_data and step.user_failure_data.description
        else step.error.message.strip().splitlines()[0]
        for step in steps
        if step.error
    ]
    feed = run.tags.get("secscore/feed") or run.tags.get("dagster/partition")
    return Alert(
        f"run_failed/{run.run_id}",
        "run_failed",
        f"The run of {run.job_name} {f'for the feed {feed} ' if feed else ''}failed",
        tuple(dict.fromkeys(said)) or (context.failure_event.message or "",),
        "Open the run; docs/troubleshooting.md has each failure by the name at its end.",
        run.run_id,
    )


def _deliver(log: logging.Logger, deliver: "Callable[[], Delivery]") -> dg.SkipReason:
    """Deliver, log what could not be, and return the tick's word on it all: one sentence, whatever was in the way."""
    try:
        if not channels():
            return dg.SkipReason("No channel is set: SECSCORE_ALERT_SLACK_TOKEN, _TEAMS or _WEBHOOK.")
        delivery = deliver()
    except (SettingsError, WarehouseError, JournalError) as error:
        log.error("%s", error)  # noqa: TRY400 - the sentence is all there is to say
        return dg.SkipReason(str(error))
    for name, why in delivery.failed.items():
        log.warning("%s: %s It is tried again at a later tick.", name, why)
    for sentence in delivery.set_aside:
        log.error("Set aside, and not sent again: %s", sentence)
    failed = "".join(f" {name}: {why}" for name, why in delivery.failed.items())
    return dg.SkipReason(f"{delivery.sent} messages sent.{failed}")


def build_sync_sensor() -> list[dg.SensorDefinition]:
    """Make the sensor that publishes and reports once every batch of a sync has ended; none without batches."""
    if not SECSCORE_BATCH_SIZE.read():
        return []

    @dg.sensor(
        name="completed_syncs",
        job=sync_job,
        minimum_interval_seconds=30,
        default_status=_get_default_status(),
        description="Publishes, reports and exports once all batches of a sync have ended.",
    )
    def evaluate_syncs(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        scheduled = dg.RunsFilter(tags=BY_SCHEDULE, created_after=utc_now() - LOOKED_BACK)
        syncs: dict[str, list[dg.DagsterRun]] = {}
        for run in context.instance.get_runs(scheduled):
            if SYNC in run.tags:
                syncs.setdefault(run.tags[SYNC], []).append(run)
        requests = [
            # Once for so many runs: a batch that somebody starts again later is published too.
            dg.RunRequest(
                run_key=f"{sync_id}/{len(runs)}", asset_selection=SHOWING, tags={**BY_SENSOR, PUBLISHES: sync_id}
            )
            for sync_id, runs in syncs.items()
            if _is_whole(runs, retries_are_on=context.instance.run_retries_enabled)
        ]
        return dg.SensorResult(run_requests=requests)

    return [evaluate_syncs]


def _get_default_status() -> dg.DefaultSensorStatus:
    return dg.DefaultSensorStatus.RUNNING if SECSCORE_SCHEDULES.read() else dg.DefaultSensorStatus.STOPPED


def _is_whole(runs: Sequence[dg.DagsterRun], *, retries_are_on: bool) -> bool:
    """Return whether the runs of a sync have all been started, and have all ended, with none to be tried again."""
    started = {run.tags.get("dagster/partition") for run in runs}
    return len(started) >= int(runs[0].tags[BATCHES_OF_SYNC]) and all(
        run.is_finished and not _is_tried_again(run, retries_are_on=retries_are_on) for run in runs
    )


def _is_tried_again(run: dg.DagsterRun, *, retries_are_on: bool) -> bool:
    """Return whether Dagster may start a run once more that failed, and has not yet; it says so a moment after."""
    said = run.tags.get(WILL_RETRY_TAG, "true" if run.is_failure and retries_are_on else "false")
    return said == "true" and AUTO_RETRY_RUN_ID_TAG not in run.tags
