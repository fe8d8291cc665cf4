"""Processes by what identifies them: a process id is used again, with its start it is one process for good."""

import socket
from pathlib import Path
from typing import NamedTuple

import psutil


class ProcessIdentity(NamedTuple):
    """One process of one machine.

    Attributes:
        host: the machine's name, and on Linux the namespace that process ids are counted in: that of a container.
        boot: what identifies this start of the machine.
        pid: the process id.
        started: when it started, counted so that setting the clock does not change it.
    """

    host: str
    boot: str
    pid: int
    started: str

    def __str__(self) -> str:
        return " ".join(map(str, self))

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity | None":
        """Return the identity of a process of this machine; None where there is none of that id."""
        started = _start_of(pid)
        return cls(_host(), _boot(), pid, started) if started else None

    @classmethod
    def parse(cls, text: str) -> "ProcessIdentity | None":
        """Return the identity that `str` wrote; None where it is none."""
        parts = text.split(" ")
        if len(parts) != len(cls._fields) or not parts[2].isdigit():
            return None
        return cls(parts[0], parts[1], int(parts[2]), parts[3])

    @property
    def is_on_this_host(self) -> bool:
        """Whether this machine is the one that can check whether it is alive."""
        return self.host == _host()

    @property
    def is_alive(self) -> bool:
        """Whether the process runs; checked on its own machine."""
        return self.boot == _boot() and _start_of(self.pid) == self.started


def _host() -> str:
    namespace = Path("/proc/self/ns/pid")
    return f"{socket.gethostname()}/{namespace.readlink() if namespace.is_symlink() else ''}"


def _boot() -> str:
    file = Path("/proc/sys/kernel/random/boot_id")
    return file.read_text(encoding="ascii").strip() if file.exists() else str(int(psutil.boot_time()))


def _start_of(pid: int) -> str | None:
    """Return when a process started; None where there is none, or only what is left of one that has ended."""
    try:
        process = psutil.Process(pid)
        if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return None
        stat = Path(f"/proc/{pid}/stat")  # psutil reckons a time of day from it, which moves when the clock is set
        if not stat.exists():
            return repr(process.create_time())
        return stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return None
