"""Runs commands in forked processes that may die, hang, or be killed at an instant: the handle to `dying.py`."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Ended(NamedTuple):
    """How a command ended.

    Attributes:
        code: its exit code, or minus the signal that ended it.
        statements, files: how many statements DuckDB was given, and operations on files there were, where they were counted.
        output: what it printed, as text.
    """

    code: int
    statements: int
    files: int
    output: str


class Commands:
    """A process that has imported everything, and forks for each command.

    Args:
        folder: where it may write; made where it is not there.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "secscore_pipeline_tests.support.dying", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(Path(__file__).parents[2])},
        )

    def __enter__(self) -> "Commands":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(
        self,
        environment: Mapping[str, str],
        *arguments: str,
        at: str = "",
        number: int = 0,
        sent: int = signal.SIGKILL,
        folder: Path | None = None,
        seconds: int = 0,
    ) -> Ended:
        """Run a command and return how it ended.

        Args:
            environment: its settings.
            arguments: those of the command line, or of what `dying.py` has beside it.
            at, number: when it is sent a signal, as `dying.py` has it; not, where it does not say.
            sent: the signal.
            folder: its working directory.
            seconds: after how many it is ended by an alarm; 0 for never.
        """
        order = {
            "environment": dict(environment),
            "arguments": arguments,
            "at": at,
            "number": number,
            "signal": sent,
            "folder": str(folder or self._folder),
            "seconds": seconds,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        code, statements, files = map(int, self._process.stdout.readline().split())
        output = (self._folder / "output").read_text(encoding="utf-8", errors="replace")
        return Ended(code, statements, files, output)
