"""Measures one `secscore sync` of 1,000 subscriptions against a local Azure that takes 50 ms for each answer.

Prints wall time, CPU time and peak memory of the whole process, the median of the runs, each into a new store; then
the wall time of the same where a tenth of all requests is struck by a fault. Every subscription must be stored.
"""

import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FAULTS = (
    "status:path=subscriptions,status=429,retry_after=1,share=0.03,seed=1",
    "status:path=subscriptions,status=503,share=0.02,seed=2",
    "status:path=subscriptions,status=500,body=<html>,share=0.01,seed=3",
    "reset:path=subscriptions,share=0.02,seed=4",
    "cut:path=subscriptions,position=500,share=0.01,seed=5",
    "gzip:path=subscriptions,share=0.01,seed=6",
    "handshake:share=0.1,seed=7",
)
"""What goes wrong with a tenth of the requests, and with a tenth of the connections."""

SECSCORE = [sys.executable, "-m", "secscore_pipeline.cli"]


def settings_of(env_file: Path, server: subprocess.Popen[bytes]) -> dict[str, str]:
    """Wait until the local Azure has written the settings that lead to it, and return them."""
    assert server.stdout is not None
    while line := server.stdout.readline():
        if b"Settings:" in line:
            return dict(entry.split("=", 1) for entry in env_file.read_text().splitlines())
    raise SystemExit("The local Azure did not start.")


def measured(environment: dict[str, str], folder: Path) -> dict[str, float]:
    """Run one sync in a process of its own and return what it took."""
    started = time.perf_counter()
    whole = {**environment, "SECSCORE_PARTIAL_FAILURE": "fail"}
    process = subprocess.Popen([*SECSCORE, "sync"], env=whole, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"secscore sync ended with {process.returncode}")
    memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"wall_s": seconds, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mb": memory / 1e6}


@contextmanager
def local_azure(folder: Path, subscriptions: int, latency: float, *faults: str) -> Iterator[dict[str, str]]:
    """Start a local Azure in a process of its own and yield the environment that leads to it."""
    env_file = folder / "azure.env"
    command = [
        *SECSCORE, "emulator", "--subscriptions", str(subscriptions), "--normal", "--latency", str(latency),
        "--env-file", str(env_file), *(part for fault in faults for part in ("--fault", fault)),
    ]  # fmt: skip
    base = {name: text for name, text in os.environ.items() if not name.startswith(("AZURE_", "SECSCORE_"))}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, env={**base, "PYTHONUNBUFFERED": "1"})
    try:
        yield {**base, **settings_of(env_file, server)}
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def medians(folder: Path, environment: dict[str, str], runs: int) -> dict[str, float]:
    """Run the sync `runs` times, each into a new store, and return the median of each measure."""
    found = []
    for _ in range(runs):
        database = Path(tempfile.mkdtemp(dir=folder)) / "store.duckdb"
        found.append(measured({**environment, "SECSCORE_DATABASE": str(database)}, folder))
    return {key: round(statistics.median(run[key] for run in found), 2) for key in found[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subscriptions", type=int, default=1000)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before each answer")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    result: dict[str, float] = {"subscriptions": given.subscriptions, "latency_s": given.latency, "runs": given.runs}
    with tempfile.TemporaryDirectory(prefix="secscore-bench-") as name:
        folder = Path(name)
        with local_azure(folder, given.subscriptions, given.latency) as environment:
            undisturbed = medians(folder, environment, given.runs)
        with local_azure(folder, given.subscriptions, given.latency, *FAULTS) as environment:
            disturbed = medians(folder, environment, given.runs)
    result |= undisturbed
    result |= {"wall_s_with_faults": disturbed["wall_s"]}
    result |= {"faults_cost": round(disturbed["wall_s"] / undisturbed["wall_s"], 2)}
    if given.json:
        print(json.dumps(result))
        return
    for key, number in result.items():
        print(f"{key:>18}  {number}")


if __name__ == "__main__":
    main()
