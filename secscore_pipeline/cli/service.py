"""The processes of a service: the code location, the daemon and the UI.

`deploy/run` starts one of them, `secscore dev` all three. On a signal to stop, they end everything that they have
started, the processes of runs among it. A run that is stopped notes that it failed; it does not stay as if it went on.
"""

import os
import queue
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click
import psutil
import yaml

from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.system.stopping import GRACE, exit_code, hand_over, watch

DEFINITIONS = "secscore_pipeline.definitions"

_END_TIMEOUT = GRACE + 1.0
"""Seconds that the processes have to end: what a run's process has, and a moment to note it."""

_START_TIMEOUT = 180.0

_LONGEST_SOCKET_PATH = 107
"""Bytes of the path of a socket. Source: unix(7)."""

_POLL_INTERVAL = 0.2
"""Seconds between two checks of a condition that sends no event."""


def build_code_server_command(*place: str) -> list[str]:
    """Return the command that serves the definitions, and starts a process for each run.

    `dagster api grpc`, not `dagster code-server`: a server in front of a server does not know which runs go on.

    Args:
        place: its options that say where: --socket PATH, or --host HOST --port PORT.
    """
    return [*_dagster_command("api", "grpc", "--lazy-load-user-code", "--module-name", DEFINITIONS), *place]


def build_daemon_command(workspace: Path) -> list[str]:
    """Return the command that runs schedules, sensors and the queue."""
    return [sys.executable, "-m", "dagster._daemon", "run", "--workspace", str(workspace)]


def build_webserver_command(workspace: Path, host: str, port: int) -> list[str]:
    """Return the command that serves the UI."""
    return [sys.executable, "-m", "secscore_pipeline.cli.service", "webserver", str(workspace), host, str(port)]


def serve(command: Sequence[str]) -> int:
    """Run a command until it ends or this process gets a signal to stop, and end all that it has started.

    Returns:
        The exit code: 128 and the signal's number, or that of the command.
    """
    with _supervise() as supervisor:
        supervisor.start(command)
        return supervisor.wait_for_end()


def serve_all(port: int, announce: Callable[[], object]) -> int:
    """Run the code location, the daemon and the UI on loopback until one ends or this process gets a signal to stop.

    Without a DAGSTER_HOME, Dagster's own records go with the processes.

    Args:
        port: the UI's.
        announce: called once the UI answers.

    Returns:
        The exit code, as `serve` has it.

    Raises:
        SettingsError: the port is taken, or a setting is malformed. Nothing was started.
    """
    from secscore_pipeline.config.ui_hosts import read_ui_hosts
    from secscore_pipeline.defs.webserver import refuse_taken_port

    read_ui_hosts(port)
    refuse_taken_port("127.0.0.1", port)
    with tempfile.TemporaryDirectory(prefix="secscore-", ignore_cleanup_errors=True) as made, _supervise() as running:
        folder = Path(made)
        environment = {"DAGSTER_IS_DEV_CLI": "1"}  # load errors are shown short, and reloading starts anew
        if not os.environ.get("DAGSTER_HOME", "").strip():
            environment["DAGSTER_HOME"] = made
        code_socket = folder / "code"
        workspace = folder / "workspace.yaml"
        place = {"grpc_server": {"socket": str(code_socket), "location_name": DEFINITIONS}}
        workspace.write_text(yaml.safe_dump({"load_from": [place]}), encoding="utf-8")
        code = _dagster_command("code-server", "start", "--socket", str(code_socket), "--module-name", DEFINITIONS)
        running.start([*code, "--log-level", "warning"], **environment)
        ended = running.wait_until(partial(_is_answering, code_socket), _START_TIMEOUT)
        if ended is not None:
            return ended
        running.start(build_daemon_command(workspace), **environment)
        running.start(build_webserver_command(workspace, "127.0.0.1", port), **environment)
        ended = running.wait_until(partial(_is_listening, port), _START_TIMEOUT)
        if ended is not None:
            return ended
        announce()
        return running.wait_for_end()


def _is_answering(code_socket: Path) -> bool:
    from secscore_pipeline.defs.dagster_internals import code_server_answers

    return code_server_answers(code_socket)


def _is_listening(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _dagster_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dagster", *arguments]


@contextmanager
def _supervise() -> Iterator["_Supervisor"]:
    supervisor = _Supervisor()
    try:
        yield supervisor
    finally:
        supervisor.end()


class _Supervisor:
    """Starts processes, and waits for the first that ends or for a signal to stop.

    Signals are its own from the moment it is made: SIGINT too where a shell has a job in the background ignore it.
    """

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._processes: list[psutil.Popen] = []
        hand_over()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, lambda received, _frame: self._events.put(received))

    def start(self, command: Sequence[str], **environment: str) -> None:
        """Start a process."""
        self._processes.append(psutil.Popen(command, env={**os.environ, **environment}))

    def wait_for_end(self) -> int:
        """Return the exit code once a process has ended or a signal has come."""
        while (code := self._exit_code()) is None:
            pass
        return code

    def wait_until(self, is_ready: Callable[[], bool], seconds: float) -> int | None:
        """Wait for a condition; return None once it holds, else the exit code, which is 1 where it did not in time."""
        until = time.monotonic() + seconds
        while not is_ready():
            if (code := self._exit_code(_POLL_INTERVAL)) is not None:
                return code
            if time.monotonic() > until:
                return 1
        return None

    def _exit_code(self, seconds: float | None = None) -> int | None:
        """Return the exit code where a process has ended or a signal to stop comes, at most so many seconds later."""
        for process in self._processes:
            if process.poll() is not None:
                return max(int(process.returncode), 1)
        try:
            number = self._events.get(timeout=seconds)
        except queue.Empty:
            return None
        return None if number == signal.SIGCHLD else 128 + number

    def end(self) -> None:
        """End every process and all that they have started: SIGTERM first, SIGKILL where that does not help in time."""
        everything = [found for process in self._processes for found in _with_descendants(process)]
        for process in everything:
            _send(process, signal.SIGTERM)
        until = time.monotonic() + _END_TIMEOUT
        left: list[psutil.Process] = everything
        while left and time.monotonic() < until and not self._is_signaled_again():
            _, left = psutil.wait_procs(left, timeout=0.1)
        for remaining in {found for process in left for found in _with_descendants(process)}:
            _send(remaining, signal.SIGKILL)
        psutil.wait_procs(left, timeout=1)

    def _is_signaled_again(self) -> bool:
        """Return whether another signal to stop has come since the first."""
        signals = []
        while not self._events.empty():
            signals.append(self._events.get())
        return any(number != signal.SIGCHLD for number in signals)


def _with_descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _send(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return  # it has ended meanwhile


@click.group()
def main() -> None:
    """Start one of the processes of a service: deploy/run does.

    Raises:
        SettingsError: a setting is malformed: better known now than in the first run.
    """
    from secscore_pipeline.config.checking import check_settings
    from secscore_pipeline.config.feeds import read_feeds

    check_settings(read_feeds)


@main.command("code")
@click.option("--socket", "socket_path")
@click.option("--host", default="127.0.0.1")
@click.option("--port", type=int)
def _code(socket_path: str | None, host: str, port: int | None) -> None:
    from secscore_pipeline.config.checking import find_unknown_settings

    for warning in find_unknown_settings(os.environ):
        click.echo(f"! {warning}", err=True)
    if socket_path is None:
        raise click.exceptions.Exit(serve(build_code_server_command("--host", host, "--port", str(port))))
    if len(os.fsencode(socket_path)) > _LONGEST_SOCKET_PATH:
        raise SettingsError(
            ["The path of the code location's socket is too long. Set SECSCORE_CODE_SOCKET to a shorter one."]
        )
    raise click.exceptions.Exit(serve(build_code_server_command("--socket", socket_path)))


@main.command("daemon")
@click.argument("workspace", type=click.Path(path_type=Path))
def _daemon(workspace: Path) -> None:
    raise click.exceptions.Exit(serve(build_daemon_command(workspace)))


@main.command("webserver")
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("host")
@click.argument("port", type=int)
def _webserver(workspace: Path, host: str, port: int) -> None:
    from secscore_pipeline.defs.webserver import serve_ui

    watch()
    serve_ui(workspace, host, port)  # until a signal, which it takes for the end of its work
    raise click.exceptions.Exit(exit_code())


if __name__ == "__main__":
    try:
        main()
    except SettingsError as error:
        sys.exit("\n".join(error.problems))
