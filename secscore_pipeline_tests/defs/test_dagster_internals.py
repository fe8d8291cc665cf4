"""What is taken from inside Dagster is where it was, with what is used of it: an upgrade that moves it fails here."""

import ast
import inspect
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import dagster as dg
import pytest

from secscore_pipeline.defs import dagster_internals

ROOM = Path(dagster_internals.__file__).parent

CORE, GRPC, WEB = "dagster._core", "dagster._grpc", "dagster_webserver"

ATTRIBUTES = {
    f"{CORE}.errors.DagsterHomeNotSetError": ("with_traceback",),
    f"{CORE}.errors.DagsterUserCodeUnreachableError": ("with_traceback",),
    f"{CORE}.launcher.LaunchRunContext": ("dagster_run",),
    f"{CORE}.launcher.WorkerStatus": ("RUNNING", "SUCCESS", "FAILED", "NOT_FOUND", "UNKNOWN"),
    f"{CORE}.storage.event_log.SqlEventLogStorage": ("index_connection",),
    f"{CORE}.storage.event_log.SqliteEventLogStorage": ("path_for_shard", "index_connection"),
    f"{CORE}.storage.event_log.schema.AssetCheckExecutionsTable": ("c", "delete"),
    f"{GRPC}.client.DagsterGrpcClient": ("get_current_runs", "ping"),
    f"{GRPC}.types.GetCurrentRunsResult": ("current_runs",),
    f"{CORE}.workspace.context.WorkspaceProcessContext": ("__enter__", "__exit__"),
    f"{CORE}.workspace.load_target.WorkspaceFileTarget": ("paths",),
    "dagster.DagsterInstance": (
        "run_launcher",
        "event_log_storage",
        "compute_log_manager",
        "get_records_for_run",
        "optimize_for_webserver",
    ),
    "dagster_celery.launcher.CeleryRunLauncher": ("celery", "check_run_worker_health"),
}
"""What is used of each class."""

PARAMETERS = {
    f"{CORE}.launcher.CheckRunHealthResult": ("status", "msg"),
    f"{GRPC}.client.DagsterGrpcClient": ("port", "socket", "host", "use_ssl"),
    f"{GRPC}.client.DagsterGrpcClient.ping": ("echo",),
    "dagster._serdes.deserialize_value": ("val", "as_type"),
    f"{CORE}.storage.event_log.SqliteEventLogStorage.path_for_shard": ("run_id",),
    f"{CORE}.workspace.context.WorkspaceProcessContext": ("instance", "workspace_load_target", "version"),
    f"{WEB}.app.create_app_from_workspace_process_context": (
        "workspace_process_context",
        "path_prefix",
        "live_data_poll_rate",
    ),
    "dagster.DagsterInstance.optimize_for_webserver": ("statement_timeout", "pool_recycle", "max_overflow"),
    "dagster.DefaultRunLauncher.launch_run": ("context",),
    "dagster_celery.launcher.CeleryRunLauncher.check_run_worker_health": ("run",),
    "dagster_celery.tasks.create_execute_job_task": ("celery",),
}
"""What each is called with, in this order."""

VALUES = {
    f"{CORE}.storage.tags.AUTO_RETRY_RUN_ID_TAG": str,
    f"{CORE}.storage.tags.GRPC_INFO_TAG": str,
    f"{CORE}.storage.tags.WILL_RETRY_TAG": str,
    f"{WEB}.cli.DEFAULT_DB_STATEMENT_TIMEOUT": int,
    f"{WEB}.cli.DEFAULT_POOL_MAX_OVERFLOW": int,
    f"{WEB}.cli.DEFAULT_POOL_RECYCLE": int,
    f"{WEB}.version.__version__": str,
    "dagster_celery.tags.DAGSTER_CELERY_TASK_ID_TAG": str,
}


def resolve(name: str) -> object:
    """Return what a dotted name is, with a sentence where an upgrade has moved it."""
    package = name.split(".")[0]
    if package == "dagster_celery":
        pytest.importorskip(package, reason="needs secscore_pipeline[workers]")
    parts = name.split(".")
    found, at = import_module(package), 1
    while at < len(parts):
        try:
            found = getattr(found, parts[at])
        except AttributeError:
            try:
                found = import_module(".".join(parts[: at + 1]))
            except ImportError:
                where, what = ".".join(parts[:at]), version(package.replace("_", "-"))
                pytest.fail(f"{where} of {package} {what} has no {parts[at]}: see {ROOM / 'dagster_internals.py'}")
        at += 1
    return found


@pytest.mark.parametrize("name", [f"{owner}.{one}" for owner, names in ATTRIBUTES.items() for one in names])
def test_dagster_has_what_is_used_of_its_classes(name):
    owner, _, attribute = name.rpartition(".")
    used_of = resolve(owner)
    fields = getattr(used_of, "__annotations__", {})  # which are no attributes of the class
    assert hasattr(used_of, attribute) or attribute in fields, f"Dagster {dg.__version__} has no {name}"


@pytest.mark.parametrize("name", PARAMETERS)
def test_dagster_is_called_as_it_is_declared(name):
    parameters = [one for one in inspect.signature(resolve(name)).parameters if one != "self"]
    ours = list(PARAMETERS[name])
    assert [one for one in parameters if one in ours] == ours, f"Dagster {dg.__version__} declares {name}{parameters}"


@pytest.mark.parametrize("name", VALUES)
def test_dagsters_constants_are_of_their_type(name):
    assert isinstance(resolve(name), VALUES[name])


def test_the_daemon_can_be_started_as_a_module():
    assert find_spec("dagster._daemon.__main__"), "`secscore dev` starts Dagster's daemon by that name"


def imported(tree: ast.AST) -> Iterable[str]:
    """Yield what a module imports of Dagster's packages beside their public names."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.startswith("dagster")
            and "." in node.module
        ):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_everything_taken_from_inside_dagster_is_checked_here():
    checked = {*ATTRIBUTES, *PARAMETERS, *VALUES}
    for module in ("dagster_internals.py", "celery_internals.py"):
        assert set(imported(ast.parse((ROOM / module).read_text(encoding="utf-8")))) - checked == set()
