"""What the measurements share: a local Azure in a process of its own, and what a process took."""

import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SECSCORE = [sys.executable, "-m", "secscore_pipeline.cli"]

Measures = dict[str, float]


@contextmanager
def local_azure(folder: Path, subscriptions: int, latency: float, *options: str) -> Iterator[dict[str, str]]:
    """Start a local Azure in a process of its own and yield the environment that leads to it."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    env_file = folder / "azure.env"
    command = [
        *SECSCORE, "emulator", "--subscriptions", str(subscriptions), "--normal", "--latency", str(latency),
        "--env-file", str(env_file), *options,
    ]  # fmt: skip
    base = {name: text for name, text in os.environ.items() if not name.startswith(("AZURE_", "SECSCORE_"))}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, env={**base, "PYTHONUNBUFFERED": "1"})
    try:
        yield {**base, **_settings_of(env_file, server)}
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def _settings_of(env_file: Path, server: subprocess.Popen[bytes]) -> dict[str, str]:
    assert server.stdout is not None
    while line := server.stdout.readline():
        if b"Settings:" in line:
            return dict(entry.split("=", 1) for entry in env_file.read_text().splitlines())
    raise SystemExit("The local Azure did not start.")


def measure(command: list[str], environment: Mapping[str, str], folder: Path) -> Measures:
    """Run a process to its end and return what it took: wall and CPU time in seconds, peak memory in MB."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env=dict(environment), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    complaints = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{complaints}")
    return {"wall_s": seconds, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mb": peak_mb(usage)}


def peak_mb(usage: resource.struct_rusage) -> float:
    """Return the most memory that a process had, in MB."""
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def files(database: Path) -> dict[str, str]:
    """Return the settings that have runs write a file, and publish another beside it."""
    published = database.with_name(f"published-{database.name}")
    return {"SECSCORE_WORK_DATABASE": str(database), "SECSCORE_DATABASE": str(published)}


def measure_sync(environment: Mapping[str, str], database: Path) -> Measures:
    """Measure one `secscore sync` into a database; every subscription must be stored."""
    settings = {**environment, "SECSCORE_PARTIAL_FAILURE": "fail", **files(database)}
    ours = {name: text for name, text in settings.items() if name.startswith(("AZURE_", "SECSCORE_"))}
    # In a file, since Linux hands no variable of more than 128 kB, or 3,500 subscriptions, to a new process.
    (database.parent / ".env").write_text("".join(f"{name}={text}\n" for name, text in ours.items()))
    others = {name: text for name, text in settings.items() if name not in ours}
    return measure([*SECSCORE, "sync"], others, database.parent)


def new_folder(folder: Path) -> Path:
    """Return a new, empty folder."""
    return Path(tempfile.mkdtemp(dir=folder))


def medians(found: list[Measures]) -> Measures:
    """Return the median of each measure."""
    return {key: round(statistics.median(run[key] for run in found), 2) for key in found[0]}
