"""Waiting for other processes, and a port to find them at."""

import socket
import time
from collections.abc import Callable
from typing import Any

DEADLINE = 300
"""How many seconds a test waits for something to come, at most: enough for a machine that is busy with other things."""


class DeadlineError(AssertionError):
    """What a test waited for did not come in time; it says so in one line."""


def free_port() -> int:
    """Return a port that the system has free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def awaited(read: Callable[[], Any], is_there: Callable[[Any], bool], within: float = DEADLINE) -> Any:
    """Read until the answer is there, at most so many seconds long."""
    until = time.monotonic() + within
    while not is_there(answer := read()):
        if time.monotonic() > until:
            raise DeadlineError(f"it did not come in {within} s: {answer}")
        time.sleep(0.3)  # between two questions to another process
    return answer
