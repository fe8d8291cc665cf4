"""The end of a process of this program: what it does last, and nothing of what Python would do after that."""

import atexit
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

_last_acts: list[Callable[[], object]] = []


def call_at_end(act: Callable[[], object]) -> None:
    """Have a function called when this process ends by itself, here or, as one of Dagster's does, by Python."""
    atexit.register(act)
    _last_acts.append(act)


def end_process(code: int) -> NoReturn:
    """End this process, which has nothing left to do, with an exit code.

    Python would free every object before: half a second after a sync. And DuckDB's library dies of it by SIGSEGV where
    its import was interrupted.
    """
    try:
        for act in reversed(_last_acts):
            act()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # nobody reads it any more
                stream.flush()
    finally:
        os._exit(code)
