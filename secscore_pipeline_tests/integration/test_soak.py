"""The soak, shortened: readers, alerts and runs under faults, day after day; and stopping it leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from testbed.waiting import DEADLINE

ROOT = Path(__file__).resolve().parents[2]
RUNS = 5


def soaking(tmp_path, *arguments):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "bench.soak", "--untimed", "--json", *arguments],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_five_days_tear_nothing_lose_nothing_and_tell_everything_once(tmp_path):
    process = soaking(tmp_path, f"--runs={RUNS}", "--subscriptions=4", "--lean")
    said, complaints = process.communicate(timeout=3 * DEADLINE)
    assert process.returncode == 0, said + complaints
    found = json.loads(said)
    assert found["wrong"] == []
    assert found["runs"] == {"complete": RUNS - 1, "partial, explained": 1}
    assert found["reads"] > RUNS
    assert found["delivered"] > 2
    assert found["faults"] > RUNS
    sizes = {name: figures for name, figures in found["measures"].items() if "per observation" in name}
    assert len(sizes) == 2
    assert all(figures[-1] < figures[0] for figures in sizes.values())


def test_a_soak_that_is_stopped_ends_every_process(tmp_path):
    process = soaking(tmp_path, "--runs=50", "--subscriptions=1", "--lean")
    for line in process.stderr:
        if line.startswith("2 of 50"):
            break
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) == 3
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert "Stopped" in complaints
    assert not [child for child in children if child.is_running()]
    assert not list(tmp_path.glob("secscore-soak-*"))
