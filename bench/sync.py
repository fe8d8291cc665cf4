"""Measures one `secscore sync` of 1,000 subscriptions against a local Azure that takes 50 ms for each answer.

Prints wall time, CPU time and peak memory of the whole process, the median of the runs, each into a new store.
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
from pathlib import Path

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
    process = subprocess.Popen([*SECSCORE, "sync"], env=environment, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"secscore sync ended with {process.returncode}")
    memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"wall_s": seconds, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mb": memory / 1e6}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subscriptions", type=int, default=1000)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before each answer")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with tempfile.TemporaryDirectory(prefix="secscore-bench-") as name:
        folder = Path(name)
        env_file = folder / "azure.env"
        command = [
            *SECSCORE, "emulator", "--subscriptions", str(given.subscriptions), "--normal",
            "--latency", str(given.latency), "--env-file", str(env_file),
        ]  # fmt: skip
        base = {name: text for name, text in os.environ.items() if not name.startswith(("AZURE_", "SECSCORE_"))}
        server = subprocess.Popen(command, stdout=subprocess.PIPE, env={**base, "PYTHONUNBUFFERED": "1"})
        try:
            settings = {**base, **settings_of(env_file, server)}
            runs = []
            for number in range(given.runs):
                environment = {**settings, "SECSCORE_DATABASE": str(folder / f"run-{number}.duckdb")}
                runs.append(measured(environment, folder))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()
    median = {key: round(statistics.median(run[key] for run in runs), 2) for key in runs[0]}
    result = {"subscriptions": given.subscriptions, "latency_s": given.latency, "runs": given.runs, **median}
    if given.json:
        print(json.dumps(result))
        return
    for key, number in result.items():
        print(f"{key:>14}  {number}")


if __name__ == "__main__":
    main()
