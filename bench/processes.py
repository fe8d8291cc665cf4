"""What the measurements share: a local Azure, what a process took, and environments for the tools of others."""

import compileall
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from secscore_pipeline.emulator.faults import Fault
from secscore_pipeline.emulator.server import LocalAzure
from secscore_pipeline.emulator.world import World

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / ".bench"
"""What takes long to make is kept here from run to run."""

SECSCORE = [sys.executable, "-m", "secscore_pipeline.cli"]

STORE = "store.duckdb"
"""The name of the database that a measured sync writes, in a folder of its own."""

Measures = dict[str, float]
"""Of one process: `wall_s`, `cpu_s`, `peak_mb`; of a sync also `store_mb`, the size of what it published."""


@contextmanager
def local_azure(
    world: World, latency: float, page_size: int | None = None, faults: Iterable[str] = ()
) -> Iterator[LocalAzure]:
    """Serve a tenant from this process, which does nothing else while others are measured.

    What it has answered can be counted, and its day be changed, between two measurements.

    Args:
        world: the tenant.
        latency: seconds before each answer of ARM.
        page_size: items on a page of a list; None puts all on one.
        faults: lines as `secscore emulator --fault` takes them.
    """
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with LocalAzure(world, latency=latency, page_size=page_size) as azure:
        azure.faults.extend(map(Fault.parse, faults))
        yield azure


def compile_package(tree: Path) -> None:
    """Compile the modules of this program in a tree, as an installation does; else each process may do it anew."""
    compileall.compile_dir(tree / "secscore_pipeline", quiet=1)


def environment_of(azure: LocalAzure) -> dict[str, str]:
    """Return the environment that leads a process to a local Azure, with all of its subscriptions in scope."""
    base = {name: text for name, text in os.environ.items() if not name.startswith(("AZURE_", "SECSCORE_"))}
    return {**base, **azure.settings("*")}


def measure(command: list[str], environment: Mapping[str, str], folder: Path) -> Measures:
    """Run a process in a folder to its end and return what it took: wall and CPU time in seconds, peak memory in MB.

    Raises:
        SystemExit: it failed; with what it wrote to standard error.
    """
    launch = [sys.executable, "-I", "-S", str(ROOT / "bench" / "launch.py"), *command]
    ended = subprocess.run(launch, env=dict(environment), cwd=folder, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stderr}")
    took: Measures = json.loads(ended.stdout)
    return took


def published_file(database: Path) -> Path:
    """Return the file that is published of a database."""
    return database.with_name(f"published-{database.name}")


def files(database: Path) -> dict[str, str]:
    """Return the settings that have runs write a file, and publish another beside it."""
    return {"SECSCORE_WORK_DATABASE": str(database), "SECSCORE_DATABASE": str(published_file(database))}


def write_settings(environment: Mapping[str, str], database: Path) -> dict[str, str]:
    """Write the settings of a process beside its database, and return what is left of its environment.

    They are in a file, since Linux passes no variable of more than 128 kB, or 3,500 subscriptions, to a new process.
    """
    settings = {**environment, "SECSCORE_PARTIAL_FAILURE": "fail", **files(database)}
    ours = {name: text for name, text in settings.items() if name.startswith(("AZURE_", "SECSCORE_"))}
    (database.parent / ".env").write_text("".join(f"{name}={text}\n" for name, text in ours.items()))
    return {name: text for name, text in settings.items() if name not in ours}


def measure_sync(environment: Mapping[str, str], database: Path) -> Measures:
    """Measure one `secscore sync` into a database; every subscription must be stored."""
    took = measure([*SECSCORE, "sync"], write_settings(environment, database), database.parent)
    return {**took, "store_mb": published_file(database).stat().st_size / 1e6}


@contextmanager
def new_folder() -> Iterator[Path]:
    """Make a new, empty folder for one process, and remove it in the end: a lasting one would fill the disk."""
    with tempfile.TemporaryDirectory(prefix="secscore-bench-") as name:
        yield Path(name)


def medians(found: list[Measures]) -> Measures:
    """Return the median of each measure."""
    return {key: round(statistics.median(run[key] for run in found), 2) for key in found[0]}


def output(command: list[str]) -> str:
    """Run a command and return what it printed."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def find_environment(requirements: Path) -> Path:
    """Return the folder of an environment with pinned packages, made anew where its requirements have changed.

    Args:
        requirements: a file that pins every package; its name is that of the environment.
    """
    folder = KEPT / requirements.stem
    installed = folder / "requirements.txt"
    if not installed.exists() or installed.read_text() != requirements.read_text():
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--requirement", str(requirements)], check=True)
        shutil.copy(requirements, installed)
    return folder
