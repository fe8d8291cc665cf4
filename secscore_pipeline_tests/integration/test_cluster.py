"""A cluster: PostgreSQL, Redis, workers, the daemon and the webserver; a worker disappears in the middle."""

import os
import signal
from contextlib import ExitStack
from threading import Event

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from secscore_pipeline.emulator.world import World
from secscore_pipeline_tests.conftest import secscore
from testbed.serving import cluster
from testbed.waiting import DEADLINE, awaited

SUBSCRIPTIONS = 2_000

HELD = """
select
    count(*) as looks,
    count(distinct (subscription_id, event_type)) as read,
    count(distinct fetch_id) as fetch_ids,
    count(distinct sync_id) as rounds,
    count(distinct run_id) as batches,
    (select count(*) from ocsf.assessment_findings) as events,
    (select count(distinct metadata.uid) from ocsf.assessment_findings) as event_uids,
    (select count(*) from posture.current_scores) as scores
from raw.fetches
"""


@pytest.mark.needs("redis")
def test_a_worker_that_disappears_costs_its_batch_a_second_try_and_nothing_twice(
    local_azure, postgres_server, tmp_path, monkeypatch
):
    azure = local_azure(World(subscriptions=SUBSCRIPTIONS), latency=0.05)
    settings = {
        **azure.settings("*"), "SECSCORE_BATCH_SIZE": "500", "SECSCORE_PARALLEL_RUNS": "2",
        "SECSCORE_MAX_CONNECTIONS": "16",
    }  # fmt: skip
    with ExitStack() as stack:
        running = cluster(stack, tmp_path, postgres_server, settings)
        workers = [running.start("worker") for _ in range(2)]
        running.serve()
        running.begin_sync()
        awaited(lambda: sum(azure.requests.values()), lambda made: made > 300)
        answering = Event()
        azure.on_arm_request = lambda _: answering.wait(60)
        for name in ("DAGSTER_POSTGRES_URL", "SECSCORE_BROKER_URL"):
            monkeypatch.setenv(name, running.environment[name])
        with dg.DagsterInstance.from_config(running.environment["DAGSTER_HOME"]) as instance:
            awaited(lambda: [run_of(worker, instance) for worker in workers], all)
            os.killpg(workers[0].pid, signal.SIGKILL)
            workers[1].terminate()  # as an update does, one worker after the other: it ends its run first
            assert how_it_goes(instance, workers[1]) is WorkerStatus.RUNNING
        answering.set()
        assert workers[1].wait(timeout=DEADLINE) == 0
        running.start("worker")

        batches = running.wait_for_sync(within=3 * DEADLINE)
        lost = [run for run in batches if run["status"] == "FAILURE"]
        assert len(lost) == 1
        assert [run["status"] for run in batches if run["tags"].get("dagster/parent_run_id") == lost[0]["id"]] == [
            "SUCCESS"
        ]
        assert len([run for run in batches if run["status"] == "SUCCESS"]) == 4

        with running.warehouse.get_published() as connection:
            asked = connection.execute(HELD)
            held = dict(zip([column[0] for column in asked.description], asked.fetchone(), strict=True))
        assert held == {
            "looks": 2 * SUBSCRIPTIONS, "read": 2 * SUBSCRIPTIONS, "fetch_ids": 2 * SUBSCRIPTIONS, "rounds": 1,
            "batches": 4, "events": 16 * SUBSCRIPTIONS, "event_uids": 16 * SUBSCRIPTIONS, "scores": SUBSCRIPTIONS,
        }  # fmt: skip
        assert (tmp_path / "report.html").exists()


def run_of(worker, instance):
    """Return the run that a worker executes now, with the worker's name in the queue; None where there is none."""
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        task = instance.run_launcher.celery.AsyncResult(run.tags[DAGSTER_CELERY_TASK_ID_TAG])
        if f"-{worker.pid}@" in (name := (task.info or {}).get("hostname", "")):
            return run, name
    return None


def how_it_goes(instance, worker):
    """Return what run monitoring is told of the run of a worker that has begun to end, and answers no questions."""
    run, name = run_of(worker, instance)
    ping = instance.run_launcher.celery.control.ping
    awaited(lambda: ping(destination=[name], timeout=1), lambda said: not said)
    return instance.run_launcher.check_run_worker_health(run).status


def test_a_worker_without_a_queue_is_told_what_it_lacks(tmp_path):
    assert "queue-missing" in secscore("worker", cwd=tmp_path, check=2).stderr
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    done = secscore("worker", cwd=tmp_path, env={"DAGSTER_HOME": str(tmp_path)}, check=2)
    assert "launched by DefaultRunLauncher" in done.stderr
