"""What tests share: a local Azure, a store of one's own, and a run of the whole job."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import dagster as dg
import pytest

from secscore_pipeline.config.registry import SETTINGS
from secscore_pipeline.defs.assets.report import REPORT
from secscore_pipeline.defs.resources import WarehouseResource
from secscore_pipeline.defs.runner import execute_run
from secscore_pipeline.emulator.server import LocalAzure
from secscore_pipeline.emulator.world import World
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline.system import redaction
from secscore_pipeline.warehouse.publishing import list_kept_files
from secscore_pipeline.warehouse.warehouse import Warehouse
from testbed import postgresql
from testbed.waiting import DEADLINE

ON_LAKE = os.environ.get("SECSCORE_TEST_WAREHOUSE") == "ducklake"
"""Whether the stores of the tests are lakes: only the tests that have a store run then."""

PART, PARTS = map(int, (os.environ.get("SECSCORE_TEST_PART") or "0/1").split("/"))
"""Which part of the tests that have a store are run on lakes, counted from 0, and of how many."""

pytest_plugins = ["secscore_pipeline_tests.support.machine"]

of_files = pytest.mark.skipif(ON_LAKE, reason="is about the DuckDB files of a store")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test."""
    for name in (*(setting.name for setting in SETTINGS), "DAGSTER_HOME", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers as a secret is none to the next: hosts and names may be secrets of hostile settings."""
    monkeypatch.setattr(redaction, "_secrets", dict(redaction._secrets))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what has nothing to do with a store, where the stores are lakes, and what belongs to another part."""
    if ON_LAKE:
        others = [
            item
            for item in items
            if not {"store", "module_store"} & set(getattr(item, "fixturenames", ()))
            or crc32(item.nodeid.encode()) % PARTS != PART
        ]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]
        for item in items:
            item.add_marker(pytest.mark.needs("postgresql"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgresql.Server]:
    """Return a PostgreSQL server that the tests of a process share."""
    with postgresql.server() as server:
        yield server


@pytest.fixture
def local_azure() -> Iterator[Callable[..., LocalAzure]]:
    """Start local Azures; they end with the test."""
    with _started() as start:
        yield start


@pytest.fixture(scope="module")
def module_azure() -> Iterator[Callable[..., LocalAzure]]:
    """Start local Azures; they end with the tests of the module."""
    with _started() as start:
        yield start


@contextmanager
def _started() -> Iterator[Callable[..., LocalAzure]]:
    with ExitStack() as stack:

        def start(world: World | None = None, **options: object) -> LocalAzure:
            return stack.enter_context(LocalAzure(world or World(subscriptions=3), **options))  # type: ignore[arg-type]

        yield start


@cache
def _job(with_report: bool) -> dg.JobDefinition:
    from secscore_pipeline.definitions import defs

    if with_report:
        return defs.resolve_job_def("sync")
    lean = dg.define_asset_job("lean", selection=dg.AssetSelection.all() - dg.AssetSelection.assets(REPORT))
    definitions = dg.Definitions(
        assets=defs.assets, asset_checks=defs.asset_checks, jobs=[lean], resources=defs.resources,
        loggers=defs.loggers, executor=defs.executor,
    )  # fmt: skip
    return definitions.resolve_job_def("lean")


def resources_of_environment() -> dict[str, object]:
    """Return the resources of a run that the environment's settings describe."""
    warehouse = WarehouseResource.of(Warehouse.from_environment())
    return {"azure": AzureConnection.from_environment(), "warehouse": warehouse}


def warehouse_of(settings: Mapping[str, str]) -> Warehouse:
    """Return the store that settings name."""
    names = {"database": "SECSCORE_DATABASE", "work_database": "SECSCORE_WORK_DATABASE"}
    names["data_path"] = "SECSCORE_DATA_PATH"
    return Warehouse(**{field: settings[name] for field, name in names.items()})


class Store:
    """A database of the test's own, and the whole job run on it: `path` is what runs write, `published` for readers.

    Where it is a lake, both are paths beside which runs keep what is on its way.
    """

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch, catalog: str | None = None) -> None:
        self.path = path
        self.published = path if catalog else path.with_name(f"published-{path.name}")
        self.settings = {
            "SECSCORE_DATABASE": catalog or str(self.published),
            "SECSCORE_WORK_DATABASE": str(path),
            "SECSCORE_DATA_PATH": str(path.with_name("lake")),
            "SECSCORE_REPORT": str(path.parents[1] / "report.html"),
        }
        self._monkeypatch = monkeypatch

    @property
    def warehouse(self) -> Warehouse:
        """The store as runs and readers open it."""
        return warehouse_of(self.settings)

    def use(self, azure: LocalAzure, *subscription_ids: str, **settings: str) -> None:
        """Point the settings to a local Azure."""
        for name, text in {**azure.settings(*subscription_ids), **self.settings, **settings}.items():
            self._monkeypatch.setenv(name, text)

    def sync(
        self, *, succeeds: bool = True, config: dict[str, object] | None = None, with_report: bool = False
    ) -> dg.ExecuteInProcessResult:
        """Run the job through Dagster, as the command line does; the report, a quarter of the time, where asked for."""
        job = _job(with_report)
        with dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}) as instance:
            result = execute_run(job, instance, config=config, resources=resources_of_environment())
        failures = [
            event.step_failure_data.error_display_string for event in result.all_events if event.is_step_failure
        ]
        assert result.success is succeeds, "\n".join(failures)
        return result

    def leftovers(self) -> set[str]:
        """Return the names of files beside the store that belong neither to it nor to what it keeps for readers."""
        ours = {self.path, self.published, *list_kept_files(self.published)}
        return {file.name for file in self.path.parent.iterdir() if file not in ours}

    def query(self, text: str, *values: Any) -> list[tuple[object, ...]]:
        """Return a query's rows; its values are given in order, or as one dict by name."""
        by_name = len(values) == 1 and isinstance(values[0], dict)
        with self.warehouse.get_reader() as connection:
            return connection.execute(text, values[0] if by_name else list(values)).fetchall()

    def one(self, text: str, *values: object) -> object:
        """Return the one value of a query."""
        ((value,),) = self.query(text, *values)
        return value

    def write(self, text: str) -> None:
        """Change the database behind the pipeline's back."""
        with self.warehouse.get_connection() as connection:
            connection.execute(text)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Store:
    """Return an empty store: files, or a lake where SECSCORE_TEST_WAREHOUSE says so."""
    return _new_store(tmp_path, monkeypatch, request)


@pytest.fixture(scope="module")
def module_store(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Store]:
    """Return a store that the tests of a module share, which ask it, or add to it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield _new_store(tmp_path_factory.mktemp("shared"), monkeypatch, request)


def _new_store(home: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Store:
    path = home / "store" / "secscore.duckdb"
    if not ON_LAKE:
        return Store(path, monkeypatch)
    server: postgresql.Server = request.getfixturevalue("postgres_server")
    database = server.new_database(request.getfixturevalue("made_lake"))
    made = Store(path, monkeypatch, server.lake(database))
    moved = f"update ducklake_metadata set value = '{made.settings['SECSCORE_DATA_PATH']}/' where key = 'data_path'"
    server.execute(moved, database)
    return made


@pytest.fixture
def lake_catalog(postgres_server: postgresql.Server) -> str:
    """Return the setting of a lake that is not there yet."""
    return postgres_server.lake(postgres_server.new_database())


@pytest.fixture(scope="session")
def made_lake(postgres_server: postgresql.Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the database of a lake that has its tables, and no rows: making one takes longer than copying it."""
    database, home = postgres_server.new_database(), tmp_path_factory.mktemp("made")
    settings = {"SECSCORE_DATABASE": postgres_server.lake(database), "SECSCORE_DATA_PATH": str(home / "lake")}
    code = (
        "from secscore_pipeline.warehouse.warehouse import Warehouse\n"
        "with Warehouse.from_environment().get_connection(): pass\n"
    )
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **settings}, cwd=home, check=True)
    return database


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
        timeout=DEADLINE,
        check=False,
        **options,
    )
    if check is not None:
        assert done.returncode == check, done.stdout + done.stderr
    return done


@pytest.fixture
def spawned() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start Python processes with pipes to them; they and their pipes end with the test."""
    with ExitStack() as stack:

        def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
            pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
            process = subprocess.Popen([sys.executable, *map(str, arguments)], text=True, **pipes, **options)
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start
