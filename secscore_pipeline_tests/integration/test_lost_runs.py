"""Runs whose process is gone, stopped or canceled, with the real daemon: found, failed, told of; the queue moves."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack

import dagster as dg
import psutil
import pytest

from secscore_pipeline.defs.dagster_internals import WorkerStatus
from secscore_pipeline.defs.run_launcher import PROCESS_TAG, HostRunLauncher
from secscore_pipeline.emulator.faults import Fault, Kind
from secscore_pipeline.emulator.server import LocalAzure
from secscore_pipeline.emulator.world import World
from secscore_pipeline.system.processes import ProcessIdentity
from secscore_pipeline_tests.conftest import ON_LAKE
from testbed.receiver import Receiver
from testbed.serving import SERVED, Service, is_served
from testbed.waiting import DEADLINE, awaited

pytestmark = pytest.mark.skipif(ON_LAKE, reason="a cluster serves a lake")

LAUNCH = """mutation {launchRun(executionParams: {runConfigData: {}, selector: {jobName: "sync",
repositoryLocationName: "secscore_pipeline", repositoryName: "__repository__"}})
{__typename ... on LaunchRunSuccess {run {runId}} ... on Error {message}}}"""
CANCEL = 'mutation {terminateRun(runId: "%s") {__typename ... on Error {message}}}'
MESSAGES = '{logsForRun(runId: "%s") {... on EventConnection {events {... on MessageEvent {message}}}}}'
STALLED = Fault(Kind.STALL, path="secureScore")
MOVES_WITHIN = 180
ENDS_WITHIN = DEADLINE


class Machine:
    """A service with its local Azure, which stalls while it is told to, and a receiver of its alerts."""

    def __init__(self, stack, home):
        self.azure = stack.enter_context(LocalAzure(World(subscriptions=2)))
        self.receiver = Receiver()
        stack.callback(self.receiver.close)
        self.service = Service(
            stack, home, "dagster.yaml",
            {
                **self.azure.settings(), "SECSCORE_DATABASE": str(home / "data" / "secscore.duckdb"),
                "SECSCORE_SCHEDULES": "on",
                "SECSCORE_SCHEDULE": "0 0 1 1 *", "SECSCORE_ALERT_WEBHOOK": f"{self.receiver.url}/hook",
            },
        )  # fmt: skip
        self.processes = {}

    def start(self, *names):
        for name in names:
            self.processes[name] = self.service.start(name)
        awaited(lambda: self.service.query(SERVED), is_served)

    def launch(self):
        # Until the UI has noticed that the code location is there again.
        asked = awaited(
            lambda: self.service.query(LAUNCH)["launchRun"], lambda answer: answer["__typename"] == "LaunchRunSuccess"
        )
        return asked["run"]["runId"]

    def launch_stalled(self):
        """Launch a run and wait until its first requests hang."""
        self.azure.faults[:] = [STALLED]
        before = self.scores_asked_for()
        run_id = self.launch()
        self.await_status(run_id, "STARTED")
        awaited(self.scores_asked_for, lambda now: now > before)
        return run_id

    def scores_asked_for(self):
        return sum(count for path, count in self.azure.requests.items() if "ecurescore" in path.lower())

    def status(self, run_id):
        return next(run["status"] for run in self.service.runs() if run["id"] == run_id)

    def await_status(self, run_id, *wanted, within=MOVES_WITHIN):
        return awaited(lambda: self.status(run_id), lambda found: found in wanted, within)

    def messages(self, run_id):
        return [event.get("message", "") for event in self.service.query(MESSAGES % run_id)["logsForRun"]["events"]]

    def family(self, *names):
        """Return these processes and all that they have started."""
        heads = [psutil.Process(self.processes[name].pid) for name in names]
        return [*heads, *(child for head in heads for child in head.children(recursive=True))]


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    with ExitStack() as stack:
        made = Machine(stack, tmp_path_factory.mktemp("machine"))
        made.start("code", "webserver", "daemon")
        yield made


def kill(processes):
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, timeout=DEADLINE)


def test_after_a_power_cut_the_lost_run_fails_is_told_of_and_the_queue_moves(machine):
    lost = machine.launch_stalled()
    waiting = machine.launch()
    kill(machine.family("code", "webserver", "daemon"))
    machine.azure.faults.clear()
    machine.start("code", "webserver", "daemon")
    began = time.monotonic()
    machine.await_status(lost, "FAILURE")
    machine.await_status(waiting, "SUCCESS")
    sys.stdout.write(f"the queue moved after {time.monotonic() - began:.0f} s\n")
    assert any("The process that executed the run is gone." in message for message in machine.messages(lost))
    told = awaited(lambda: [alert for alert in machine.receiver.alerts if lost in str(alert)], bool)
    assert "The process that executed the run is gone." in str(told[0])


def test_a_run_that_is_canceled_in_the_ui_ends_at_once_and_is_not_tried_again(machine):
    run_id = machine.launch_stalled()
    began = time.monotonic()
    assert machine.service.query(CANCEL % run_id)["terminateRun"]["__typename"] == "TerminateRunSuccess"
    machine.await_status(run_id, "CANCELED", within=ENDS_WITHIN)
    sys.stdout.write(f"canceled after {time.monotonic() - began:.1f} s\n")
    assert not [message for message in machine.messages(run_id) if "retry" in message.lower()]


def test_a_code_location_that_is_stopped_in_mid_run_leaves_a_failed_run_and_no_process(machine):
    run_id = machine.launch_stalled()
    family = machine.family("code")
    began = time.monotonic()
    machine.processes["code"].terminate()
    assert machine.processes["code"].wait(timeout=ENDS_WITHIN) == 143
    sys.stdout.write(f"stopped after {time.monotonic() - began:.1f} s\n")
    _, alive = psutil.wait_procs(family, timeout=DEADLINE)
    assert alive == []
    assert machine.status(run_id) == "FAILURE"
    machine.azure.faults.clear()
    machine.start("code")
    machine.await_status(machine.launch(), "SUCCESS")


@pytest.mark.parametrize("name", ["webserver", "daemon"])
def test_the_other_processes_end_as_fast(machine, name):
    machine.processes[name].terminate()
    assert machine.processes[name].wait(timeout=ENDS_WITHIN) == 143
    machine.start(name)


def test_a_run_whose_code_location_alone_is_killed_ends_with_it(machine):
    run_id = machine.launch_stalled()
    family = machine.family("code")
    supervisor, *others = family
    server = next(process for process in others if process.parent() == supervisor)
    server.kill()
    machine.await_status(run_id, "FAILURE", within=ENDS_WITHIN + 30)
    _, alive = psutil.wait_procs(family, timeout=ENDS_WITHIN)
    assert alive == []
    machine.azure.faults.clear()
    machine.start("code")


def test_a_sync_of_the_command_line_that_was_killed_blocks_nobody(machine):
    machine.azure.faults[:] = [STALLED]
    before = machine.scores_asked_for()
    with subprocess.Popen(
        [sys.executable, "-m", "secscore_pipeline.cli", "sync"],
        env=machine.service.environment, cwd=machine.service.environment["HOME"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        awaited(machine.scores_asked_for, lambda now: now > before)
        lost = machine.service.runs()[0]["id"]
        process.kill()
    machine.azure.faults.clear()
    assert machine.status(lost) == "STARTED"
    machine.await_status(machine.launch(), "SUCCESS")
    assert machine.status(lost) == "FAILURE"


def test_what_a_process_is_tells_it_from_another_of_its_number():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        first = ProcessIdentity.of(process.pid)
        assert first == ProcessIdentity.parse(str(first))
        assert first.is_on_this_host
        assert first.is_alive
        assert not first._replace(started=str(int(first.started) - 1)).is_alive
        assert not first._replace(boot="before").is_alive
        assert not first._replace(host="elsewhere").is_on_this_host
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and its parent has not asked yet
        assert not first.is_alive
    assert not first.is_alive
    assert ProcessIdentity.parse("nonsense") is None


def test_only_a_process_that_can_be_seen_from_here_is_given_up(tmp_path):
    elsewhere = ProcessIdentity.of(os.getpid())._replace(host="elsewhere", pid=1)
    gone = ProcessIdentity.of(os.getpid())._replace(boot="before")
    here = ProcessIdentity.of(os.getpid())
    launcher = {"module": "secscore_pipeline.defs.run_launcher", "class": "HostRunLauncher"}
    with dg.DagsterInstance.local_temp(str(tmp_path), {"run_launcher": launcher}) as instance:
        assert isinstance(instance.run_launcher, HostRunLauncher)

        def health(*identity, **tags):
            if identity:
                tags[PROCESS_TAG] = str(identity[0])
            run = dg.DagsterRun(job_name="sync", run_id="1", tags=tags, status=dg.DagsterRunStatus.STARTED)
            return instance.run_launcher.check_run_worker_health(run).status

        assert health(here) is WorkerStatus.RUNNING
        assert health(gone) is WorkerStatus.FAILED
        assert health(elsewhere) is WorkerStatus.RUNNING
        assert health() is WorkerStatus.RUNNING  # of an older version, or started by something else
        nobody = {".dagster/grpc_info": '{"host": "code.invalid", "port": 1}'}
        assert health(**nobody) is WorkerStatus.RUNNING
        vanished = {".dagster/grpc_info": f'{{"host": "localhost", "socket": "{tmp_path}/gone"}}'}
        assert health(**vanished) is WorkerStatus.FAILED
