"""Ctrl-C and SIGTERM: every command ends within seconds, with 130 or 143 and a sentence, and leaves nothing half."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from secscore_pipeline.emulator.faults import Fault, Kind
from secscore_pipeline.emulator.world import World
from secscore_pipeline_tests.conftest import of_files, secscore
from testbed.waiting import DEADLINE, awaited

pytestmark = of_files

BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
ENDLESS = "select count(*) from range(1000000000) a, range(1000000) b where a.range * b.range % 7 = 3"


def begin(tmp_path, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "secscore_pipeline.cli", *arguments],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONUNBUFFERED": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def stopped(process, number):
    """Send a signal; return what the process still says, once it has ended as it must."""
    began = time.monotonic()
    process.send_signal(number)
    said, _ = process.communicate(timeout=DEADLINE)
    sys.stdout.write(f"stopped after {time.monotonic() - began:.1f} s\n")
    assert process.returncode == 128 + number, said
    assert "Stopped" in said
    assert "Traceback" not in said
    return said


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize("path", ["oauth2", "/subscriptions$", "secureScores", "secureScoreControls"])
def test_a_sync_whose_server_stalls_is_stopped(local_azure, store, tmp_path, path, number):
    azure = local_azure(World(subscriptions=3))
    stall = Fault(Kind.STALL, path=path)
    azure.faults.append(stall)
    environment = {**azure.settings(), **store.settings}
    with begin(tmp_path, "sync", **environment) as process:
        awaited(lambda: stall.struck, bool)
        assert "Stopped. No incomplete fetch was stored; run it again at any time." in stopped(process, number)
    azure.faults.clear()
    secscore("sync", cwd=tmp_path, env=environment)
    snapshots = store.query(
        "select event_type, count(*) filter (outcome = 'complete') from raw.fetches group by event_type, run_id"
    )
    assert {event_type for event_type, _ in snapshots} == {"secure_scores", "secure_score_controls"}
    assert {complete for _, complete in snapshots} == {3}  # whole, or not there


@pytest.mark.slow
@BOTH
def test_a_long_question_is_stopped(local_azure, store, tmp_path, number):
    store.use(local_azure(World(subscriptions=1)))
    store.sync()
    with begin(tmp_path, "query", ENDLESS, **store.settings) as process:
        wait_for_work(process)
        assert stopped(process, number) == "Stopped.\n"


def wait_for_work(process, seconds=1.0):
    """Wait until a process has used the processor for some time, which a question that does not end does."""
    import psutil

    watched = psutil.Process(process.pid)
    until = time.monotonic() + 60
    while watched.num_threads() < 3 or watched.cpu_times().user < seconds:
        assert time.monotonic() < until
        time.sleep(0.1)


@BOTH
def test_the_emulator_is_stopped_and_takes_its_secret_with_it(tmp_path, number):
    file = tmp_path / "azure.env"
    with begin(tmp_path, "emulator", "--env-file", str(file)) as process:
        assert "Local Azure" in process.stdout.readline()
        assert "Settings" in process.stdout.readline()
        assert stopped(process, number) == "Stopped.\n"
    assert not file.exists()


@pytest.mark.slow
@BOTH
def test_a_demo_is_stopped_and_goes_on_the_next_time(tmp_path, number):
    arguments = ("demo", "--subscriptions", "2", "--days", "60")
    with begin(tmp_path, *arguments) as process:
        for line in process.stdout:
            if "1. History: the last 60 days" in line:
                break
        assert "Stopped. The days that are stored stay;" in stopped(process, number)
    assert "Report:" in secscore("demo", "--subscriptions", "2", "--days", "3", cwd=tmp_path).stdout


@pytest.mark.parametrize("wait", [0.1, 0.3, 0.6, 1.0])
def test_a_command_that_has_hardly_begun_is_stopped(local_azure, store, tmp_path, wait):
    azure = local_azure(World(subscriptions=1))
    with begin(tmp_path, "sync", **azure.settings(), **store.settings) as process:
        time.sleep(wait)  # any instant
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode in (143, -signal.SIGTERM)  # the latter before there is a line of ours
    assert "Traceback" not in said


STOPPED_IN_DUCKDB = """
import os, signal, sys

def stop_within(frame, event, argument):
    if frame.f_back.f_code.co_name == "_call_with_frames_removed":  # called by what makes a module in C
        sys.settrace(None)
        os.kill(os.getpid(), signal.SIGTERM)

class WatchForDuckDB:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "_duckdb":
            sys.settrace(stop_within)

sys.meta_path.insert(0, WatchForDuckDB)
"""

STOPPED_IN_DESTRUCTOR = """
import os, signal, sys

class Stops:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

class WatchForCommand:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "secscore_pipeline.cli.query":
            Stops()

sys.meta_path.insert(0, WatchForCommand)
"""

RUN = """
import sys
from secscore_pipeline.cli.__main__ import main
sys.argv = ["secscore", "query", "select 1"]
main()
"""


@pytest.mark.parametrize("moment", [STOPPED_IN_DUCKDB, STOPPED_IN_DESTRUCTOR], ids=["import", "destructor"])
def test_a_command_is_stopped_where_python_cannot_be_interrupted(store, tmp_path, moment):
    ended = subprocess.run(
        [sys.executable, "-c", moment + RUN], cwd=tmp_path, env={"HOME": str(tmp_path), **store.settings},
        capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (143, "")
    assert "Traceback" not in ended.stderr


INTERRUPTED_AT_ONCE = """
from secscore_pipeline.system import stopping

def interrupted():
    raise KeyboardInterrupt

stopping.watch = interrupted
"""


def test_a_command_that_is_interrupted_before_signals_are_watched_for_is_no_success(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AT_ONCE + RUN], cwd=tmp_path, env={"HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (130, "Stopped.\n")


@pytest.mark.slow
def test_ctrl_c_at_a_prompt_clears_the_line_and_leaves_where_there_is_none(local_azure, store, tmp_path):
    store.use(local_azure(World(subscriptions=1)))
    store.sync()
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "secscore_pipeline.cli", "query"],
        cwd=tmp_path, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "dumb", **store.settings},
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        read_until(ours, b"sql> ")
        os.write(ours, b"select 1")
        read_until(ours, b"select 1")
        press_until(process, lambda: select.select([ours], [], [], 1)[0])
        read_until(ours, b"sql> ")
        press_until(process, lambda: process.poll() is not None)
        assert process.wait() in (130, -signal.SIGINT)  # the latter where one more came while it was ending
    finally:
        process.kill()
        os.close(ours)


def press_until(process, is_seen):
    """Press Ctrl-C, again as a person would: Python sleeps through one that comes just before it begins to wait."""
    until = time.monotonic() + DEADLINE
    while not is_seen():
        assert time.monotonic() < until
        process.send_signal(signal.SIGINT)
        time.sleep(1)


def read_until(handle, wanted):
    seen = b""
    while wanted not in seen:
        seen += os.read(handle, 1024)
    return seen


BLOCKED = """
import sys, time
from dagster._utils.interrupts import capture_interrupts
from secscore_pipeline.system import stopping
stopping.watch()
with stopping.act_before_end(lambda: print("acted", flush=True)), capture_interrupts():
    print("begun", flush=True)
    time.sleep(120)
"""


@pytest.fixture
def blocked_process():
    """Return a process that has begun to wait for what does not end by itself."""
    with subprocess.Popen(
        [sys.executable, "-c", BLOCKED], cwd=Path(__file__).parents[2], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "begun\n"
        yield process


@BOTH
def test_what_does_not_end_by_itself_is_ended_and_acts_before(blocked_process, number):
    assert stopped(blocked_process, number).startswith("acted\n")


def test_a_second_signal_does_not_wait(blocked_process):
    blocked_process.send_signal(signal.SIGINT)
    while blocked_process.poll() is None:
        blocked_process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    assert blocked_process.returncode == 130
    assert blocked_process.stdout.read() == ""  # it did not wait until the last acts were due
