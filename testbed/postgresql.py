"""A real PostgreSQL server of the tests' own, on loopback."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from testbed.needs import use_need
from testbed.waiting import free_port

USER = "secscore"


class Server:
    """A running server; its superuser needs no password on loopback."""

    def __init__(self, port: int, data: Path) -> None:
        self.port, self.data = port, data
        self.made = 0

    def new_database(self, template: str = "template0") -> str:
        """Make a database, empty or a copy of one that nobody has open, and return its name."""
        self.made += 1
        name = f"test_{self.made}"
        self.execute(f"create database {name} template {template}")
        return name

    def lake(self, database: str) -> str:
        """Return the setting of the lake whose catalog a database is."""
        return f"ducklake:postgres:host=127.0.0.1 port={self.port} user={USER} dbname={database}"

    def execute(self, text: str, database: str = "postgres") -> str:
        """Run SQL in a database; return what came of it as text, a row a line."""
        command = ["-q", "-A", "-t", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", database, "-c", text]
        done = subprocess.run([use_need("postgresql") / "psql", *command], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def control(self, *arguments: str) -> None:
        """Have pg_ctl start, stop or restart it; it returns when that is done."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        command = [str(use_need("postgresql") / "pg_ctl"), "-D", str(self.data), "-w", "-s", *arguments]
        if arguments[0] != "stop":
            command += ["-o", options, "-l", str(self.data / "log")]
        _run_unprivileged(command)

    def signal(self, number: int) -> None:
        """Send a signal to every process of the server."""
        main = psutil.Process(int((self.data / "postmaster.pid").read_text().splitlines()[0]))
        for process in (main, *main.children(recursive=True)):
            process.send_signal(number)


@contextmanager
def server() -> Iterator[Server]:
    """Start a server and stop it when the block ends."""
    initdb = str(use_need("postgresql") / "initdb")
    with tempfile.TemporaryDirectory(prefix="secscore-postgresql-") as name:
        folder = Path(name)
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(folder, "postgres")
        running = Server(free_port(), folder / "data")
        _run_unprivileged([initdb, "-D", str(running.data), "-U", USER, "--auth=trust", "-N"])
        running.control("start")
        try:
            yield running
        finally:
            running.control("stop", "-m", "immediate")


def _run_unprivileged(command: list[str]) -> None:
    user = {"user": "postgres"} if os.getuid() == 0 else {}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", **user)  # type: ignore[call-overload]
