"""What tests share: a local Azure, a store of one's own, and a run of the whole job."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from secscore_pipeline.assets.tables import BY_HAND
from secscore_pipeline.emulator.server import LocalAzure
from secscore_pipeline.emulator.world import World
from secscore_pipeline.settings import SETTINGS
from secscore_pipeline.warehouse.connection import reading

SHARED = Path(__file__).resolve().parents[2] / "shared"

DEADLINE = 120
"""How many seconds a test waits for something to come."""

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the folder with Microsoft's published examples is not beside this checkout"
)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test."""
    for name in (*(setting.name for setting in SETTINGS), "DAGSTER_HOME", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def local_azure() -> Iterator[Callable[..., LocalAzure]]:
    """Start local Azures; they end with the test."""
    with ExitStack() as stack:

        def start(world: World | None = None, **options: object) -> LocalAzure:
            return stack.enter_context(LocalAzure(world or World(subscriptions=3), **options))  # type: ignore[arg-type]

        yield start


class Store:
    """A database of the test's own, and the whole job run on it: `path` is what runs write, `published` for readers."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.published = path.with_name(f"published-{path.name}")
        self.settings = {
            "SECSCORE_DATABASE": str(self.published),
            "SECSCORE_WORK_DATABASE": str(path),
            "SECSCORE_REPORT": str(path.parents[1] / "report.html"),
        }
        self._monkeypatch = monkeypatch

    def use(self, azure: LocalAzure, *subscription_ids: str, **settings: str) -> None:
        """Point the settings to a local Azure."""
        for name, text in {**azure.settings(*subscription_ids), **self.settings, **settings}.items():
            self._monkeypatch.setenv(name, text)

    def sync(self, *, succeeds: bool = True, config: dict[str, object] | None = None) -> dg.ExecuteInProcessResult:
        """Run the whole job through Dagster, as the command line does."""
        from secscore_pipeline.definitions import defs
        from secscore_pipeline.resources import AzureConnection, Warehouse

        with dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}) as instance:
            result = defs.resolve_job_def("sync").execute_in_process(
                instance=instance,
                raise_on_error=False,
                resources={"azure": AzureConnection.from_environment(), "warehouse": Warehouse.from_environment()},
                run_config={"loggers": {"plain": {}}, **(config or {})},
                tags=BY_HAND,
            )
        failures = [
            event.step_failure_data.error_display_string for event in result.all_events if event.is_step_failure
        ]
        assert result.success is succeeds, "\n".join(failures)
        return result

    def query(self, text: str, *values: Any) -> list[tuple[object, ...]]:
        """Return a query's rows; its values are given in order, or as one dict by name."""
        by_name = len(values) == 1 and isinstance(values[0], dict)
        with reading(self.path) as connection:
            return connection.execute(text, values[0] if by_name else list(values)).fetchall()

    def one(self, text: str, *values: object) -> object:
        """Return the one value of a query."""
        ((value,),) = self.query(text, *values)
        return value

    def write(self, text: str) -> None:
        """Change the database behind the pipeline's back."""
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(text)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return an empty store."""
    return Store(tmp_path / "store" / "secscore.duckdb", monkeypatch)


def failed_checks(result: dg.ExecuteInProcessResult) -> set[str]:
    """Return the names of the checks that did not pass, as `table: check`."""
    return {
        f"{check.asset_key.path[-1]}: {check.check_name}"
        for check in result.get_asset_check_evaluations()
        if not check.passed
    }


def secscore(
    *arguments: str, cwd: Path, env: dict[str, str] | None = None, check: int | None = 0, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, with nothing of this environment but the path."""
    done = subprocess.run(
        [sys.executable, "-m", "secscore_pipeline.cli", *arguments],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), "COLUMNS": "200", **(env or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )
    if check is not None:
        assert done.returncode == check, done.stdout + done.stderr
    return done


def free_port() -> int:
    """Return a port that the system has free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def awaited(ask: Callable[[], Any], is_there: Callable[[Any], bool]) -> Any:
    """Ask until the answer is there, at most DEADLINE seconds long."""
    until = time.monotonic() + DEADLINE
    while not is_there(answer := ask()):
        if time.monotonic() > until:
            raise AssertionError(f"it did not come in {DEADLINE} s: {answer}")
        time.sleep(0.3)  # between two questions to another process
    return answer
