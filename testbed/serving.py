"""The service as it runs for years: the processes of deploy/run, their servers, and queries of the UI."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import redis
import requests

from secscore_pipeline.warehouse.warehouse import Warehouse
from secscore_pipeline_tests.conftest import warehouse_of
from testbed.needs import use_need
from testbed.postgresql import USER, Server
from testbed.waiting import DEADLINE, awaited, free_port

ROOT = Path(__file__).resolve().parents[1]

SERVED = "{workspaceOrError {... on Workspace {locationEntries {locationOrLoadError {__typename}}}}}"
SCHEDULES = """{schedulesOrError(repositorySelector: {repositoryName: "__repository__",
repositoryLocationName: "secscore_pipeline"}) {... on Schedules {results {id name}}}}"""
STOP = """mutation {stopRunningSchedule(id: "%s") {__typename ... on PythonError {message}}}"""
RUNS = "{runsOrError {... on Runs {results {id status startTime endTime tags {key value}}}}}"


class Service:
    """The processes of deploy/run on one instance file; they end with the stack that they are made on.

    Args:
        stack: what ends them.
        home: a folder of its own.
        instance_file: Dagster's settings, from the root of the project.
        environment: the settings of all processes.
    """

    def __init__(self, stack: ExitStack, home: Path, instance_file: str, environment: dict[str, str]) -> None:
        self.stack = stack
        dagster_home = home / "dagster"
        dagster_home.mkdir()
        shutil.copy(ROOT / instance_file, dagster_home / "dagster.yaml")
        # The path of a socket is short; that of a test's folder may not be.
        self.code_socket = Path(stack.enter_context(TemporaryDirectory(prefix="secscore-"))) / "code"
        ui_port, code_port = free_port(), free_port()
        where = {"SECSCORE_CODE_PORT": str(code_port)} if "SECSCORE_CODE_HOST" in environment else {
            "SECSCORE_CODE_SOCKET": str(self.code_socket)
        }  # fmt: skip
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(home),
            "DAGSTER_HOME": str(dagster_home), "DAGSTER_DISABLE_TELEMETRY": "1",
            **environment, **where, "SECSCORE_UI_PORT": str(ui_port),
        }  # fmt: skip
        self.url = f"http://127.0.0.1:{ui_port}/graphql"
        self.session = stack.enter_context(requests.Session())
        self.session.trust_env = False
        assert self.start("init").wait(timeout=DEADLINE) == 0

    @property
    def warehouse(self) -> Warehouse:
        """The store that its runs write."""
        return warehouse_of(self.environment)

    def start(self, name: str, **more: str) -> subprocess.Popen[bytes]:
        """Start one of the processes, at the head of a group of its own; its log is beside DAGSTER_HOME."""
        with Path(self.environment["HOME"], f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(ROOT / "deploy" / "run"), name],
                env={**self.environment, **more},
                cwd=self.environment["HOME"],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.stack.callback(_end, process)
        return process

    def serve(self) -> None:
        """Start the code location, the webserver and the daemon, and wait until the UI shows the code location."""
        for name in ("code", "webserver", "daemon"):
            self.start(name)
        awaited(lambda: self.query(SERVED), is_served)

    def query(self, text: str) -> Any:
        """Return the UI's answer; None while it is not there."""
        try:
            return self.session.post(self.url, json={"query": text}, timeout=DEADLINE).json()["data"]
        except requests.ConnectionError:
            return None

    def runs(self) -> list[dict[str, Any]]:
        """Return every run, newest first, with its tags as a dict."""
        found = self.query(RUNS)["runsOrError"]["results"]
        return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]

    def begin_sync(self) -> None:
        """Have the schedule, which is on and ticks each minute, begin one sync, and switch it off."""
        awaited(self.runs, bool)
        schedules = {found["name"]: found["id"] for found in self.query(SCHEDULES)["schedulesOrError"]["results"]}
        stopped = self.query(STOP % schedules["sync_schedule"])["stopRunningSchedule"]
        assert stopped["__typename"] == "ScheduleStateResult", stopped

    def wait_for_sync(self, within: float) -> list[dict[str, Any]]:
        """Wait until the sync has been published and reported, at most so many seconds; return the batches' runs."""
        runs = awaited(
            self.runs,
            lambda found: any(run["tags"].get("secscore/publishes") and run["status"] == "SUCCESS" for run in found),
            within,
        )
        return [run for run in runs if "dagster/partition" in run["tags"]]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process, and see to it that it does, as systemd and container engines do."""
    process.terminate()
    try:
        process.wait(timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def is_served(answer: Any) -> bool:
    entries = answer and answer["workspaceOrError"]["locationEntries"]
    return entries == [{"locationOrLoadError": {"__typename": "RepositoryLocation"}}]


def redis_server(stack: ExitStack, folder: Path) -> int:
    """Start a Redis that ends with the stack; return its port."""
    port = free_port()
    command = [str(use_need("redis")), "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)]
    process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL))
    stack.callback(process.terminate)
    client = stack.enter_context(redis.Redis(port=port))

    def answers() -> bool:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False

    awaited(answers, bool)
    return port


def cluster(stack: ExitStack, home: Path, postgresql: Server, settings: dict[str, str]) -> Service:
    """Return a cluster as the compose file makes one, with its servers on loopback and its volumes in a folder.

    Its schedule ticks each minute.

    Args:
        stack: what ends its servers and processes.
        home: a folder of its own.
        postgresql: where its two databases are made.
        settings: those of Azure, and what is to be otherwise.
    """
    dagster, lake = postgresql.new_database(), postgresql.new_database()
    here = {
        "DAGSTER_POSTGRES_URL": f"postgresql+psycopg2://{USER}@127.0.0.1:{postgresql.port}/{dagster}",
        "SECSCORE_BROKER_URL": f"redis://127.0.0.1:{redis_server(stack, home)}/0",
        "SECSCORE_DATABASE": postgresql.lake(lake),
        "SECSCORE_DATA_PATH": str(home / "lake"),
        "SECSCORE_WORK_DATABASE": str(home / "work" / "secscore"),
        "SECSCORE_REPORT": str(home / "report.html"),
        "SECSCORE_CODE_HOST": "127.0.0.1",
        "SECSCORE_BIND": "127.0.0.1",
    }
    each_minute = {"SECSCORE_SCHEDULES": "on", "SECSCORE_SCHEDULE": "* * * * *"}
    return Service(stack, home, "deploy/cluster/dagster.yaml", {**here, **each_minute, **settings})
