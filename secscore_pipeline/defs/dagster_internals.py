"""Everything that is taken from inside Dagster, where its public interface has no way; each with its reason.

Another version of Dagster may change any of it: pyproject.toml holds Dagster to one line of versions, and a test says
what an upgrade has moved.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

# An instance without a DAGSTER_HOME fails with this, which is not public.
from dagster._core.errors import DagsterHomeNotSetError

# A run launcher is a documented extension of an instance, but the classes its methods take and return are not public.
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus

# Tags of Dagster's own: where the code server of a run is, and whether a run that failed is started again.
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, GRPC_INFO_TAG, WILL_RETRY_TAG

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = [
    "AUTO_RETRY_RUN_ID_TAG",
    "WILL_RETRY_TAG",
    "CheckRunHealthResult",
    "DagsterHomeNotSetError",
    "LaunchRunContext",
    "WorkerStatus",
]


def process_of_run(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """Return the process id that a run's process reports as the first thing it does; None where it has not yet.

    There is no public way to the process that Dagster's code server starts for a run.
    """
    found = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT, limit=20)
    for record in found.records:
        event = record.event_log_entry.dagster_event
        noted = event.engine_event_data.metadata.get("pid") if event else None
        if noted is not None and str(noted.value).isdigit():
            return int(str(noted.value))
    return None


def code_server_is_local(run: dg.DagsterRun) -> bool:
    """Return whether the code server that started a run is on this machine."""
    where = json.loads(run.tags.get(GRPC_INFO_TAG, "{}"))
    host = where.get("host") or ""
    return bool(where) and ("socket" in where or host in ("localhost", "::1") or host.startswith("127."))


def is_executed_by_code_server(run: dg.DagsterRun) -> bool | None:
    """Return whether the code server that started a run executes it; None where it does not answer.

    The public interface has no question for it.
    """
    # What the client raises where nobody answers is public nowhere.
    from dagster._core.errors import DagsterUserCodeUnreachableError

    # The connection to a code server, its answer to the question which runs it executes, and how that is read.
    from dagster._grpc.client import DagsterGrpcClient
    from dagster._grpc.types import GetCurrentRunsResult
    from dagster._serdes import deserialize_value

    if GRPC_INFO_TAG not in run.tags:
        return None
    where = json.loads(run.tags[GRPC_INFO_TAG])
    if where.get("socket") and not Path(where["socket"]).exists():
        return False  # a code server that is started again listens elsewhere
    client = DagsterGrpcClient(
        port=where.get("port"),
        socket=where.get("socket"),
        host=where.get("host"),
        use_ssl=bool(where.get("use_ssl")),
    )
    try:
        answer = deserialize_value(client.get_current_runs(), GetCurrentRunsResult)
    except DagsterUserCodeUnreachableError:
        return None
    return run.run_id in (answer.current_runs or ())


def code_server_answers(socket: Path) -> bool:
    """Return whether a code server has loaded its definitions, or knows why it cannot."""
    # No command says whether a code server is ready.
    from dagster._core.errors import DagsterUserCodeUnreachableError
    from dagster._grpc.client import DagsterGrpcClient

    try:
        DagsterGrpcClient(socket=str(socket)).ping("")
    except DagsterUserCodeUnreachableError:
        return False
    return True


def delete_run(instance: dg.DagsterInstance, run_id: str) -> None:
    """Delete a run's record and what `delete_run` leaves of it: outcomes of checks, printed text, an empty file.

    Nothing public deletes those.
    """
    # Which storage is there, and the table of checks' outcomes, from which nothing public deletes. Imports of half a
    # second, which not everything that loads the definitions need pay.
    from dagster._core.storage.event_log import SqlEventLogStorage, SqliteEventLogStorage
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable

    instance.delete_run(run_id)
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    storage = instance.event_log_storage
    if isinstance(storage, SqlEventLogStorage):
        with storage.index_connection() as connection:
            checks = AssetCheckExecutionsTable
            connection.execute(checks.delete().where(checks.c.run_id == run_id))
    if isinstance(storage, SqliteEventLogStorage):
        Path(storage.path_for_shard(run_id)).unlink(missing_ok=True)


@contextmanager
def webserver_app(workspace: Path) -> "Iterator[ASGIApp]":
    """Yield the application that `dagster-webserver` serves: the command offers no way to put anything before it.

    Args:
        workspace: the file that names the code location.
    """
    # What the command makes its application of: the workspace that it shows.
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget

    # The application itself, the limits of its storage that the command sets, and the version that it shows.
    from dagster_webserver.app import create_app_from_workspace_process_context
    from dagster_webserver.cli import (
        DEFAULT_DB_STATEMENT_TIMEOUT,
        DEFAULT_POOL_MAX_OVERFLOW,
        DEFAULT_POOL_RECYCLE,
    )
    from dagster_webserver.version import __version__

    with dg.DagsterInstance.get() as instance:
        instance.optimize_for_webserver(DEFAULT_DB_STATEMENT_TIMEOUT, DEFAULT_POOL_RECYCLE, DEFAULT_POOL_MAX_OVERFLOW)
        target = WorkspaceFileTarget(paths=[str(workspace)])
        with WorkspaceProcessContext(instance, target, version=__version__) as context:
            yield create_app_from_workspace_process_context(context, "", 2000)
