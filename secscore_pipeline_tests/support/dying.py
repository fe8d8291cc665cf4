"""Runs commands over and over, each in a forked process that may die at an instant given by its progress.

A line of JSON on standard input asks for one: {"environment": {...}, "arguments": [...], "folder": WHERE, "at": KIND,
"number": N, "signal": S, "seconds": T}. The answer, a line on standard output, is what it ended with (its exit code, or
minus the signal that ended it), how many statements DuckDB was given, and how many operations on files there were. What
it printed is in the file `output` of the folder that this is started with. The arguments are those of the command line,
or one of `BESIDE`. After T seconds an alarm ends it, if T is not 0.

The kinds: `statement` and `after_statement` (it is sent the signal before or after the N-th statement), `file` and
`after_file` (the same with operations on files), `byte` (it is killed by the write that makes any file longer than N
bytes), `never` (it is counted what there is), and none (it is not: counting is slow).
"""

import json
import os
import resource
import signal
import sys
from pathlib import Path

from secscore_pipeline.azure import arm, tokens  # noqa: F401 - imported once for all runs, as the next; definitions are not
from secscore_pipeline.cli.main import COMMANDS, main
from secscore_pipeline.defs import runner, schedules, sensors  # noqa: F401
from secscore_pipeline.warehouse.warehouse import Warehouse
from secscore_pipeline_tests.fuzzing.stores import print_rows

FILES = frozenset({"replace", "rename", "link", "unlink", "fsync", "sendfile", "chmod", "mkdir", "rmdir"})
"""Python's functions that change files."""

BESIDE = {"publish": lambda: Warehouse.from_environment().publish(), "read": print_rows}
"""What is done beside the commands of the command line: what a sync ends with, and reading a file in full."""


def watch(at: str, number: int, sent: int, counter: Path) -> None:
    """Count what DuckDB is given and what happens to files, and send this process a signal when its time has come."""
    if at == "byte":
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (number, number))
        return
    seen = {"statement": 0, "file": 0}
    watched = "c_return" if at.startswith("after_") else "c_call"

    def profile(_frame: object, event: str, called: object) -> None:
        name = getattr(called, "__name__", "")
        if event != watched or (name != "execute" and name not in FILES):
            return
        kind = "statement" if name == "execute" else "file"
        seen[kind] += 1
        if at == "never":
            counter.write_text("{statement} {file}".format_map(seen))
        elif at.endswith(kind) and seen[kind] == number:
            os.kill(os.getpid(), sent)

    sys.setprofile(profile)


def run(order: dict[str, object], counter: Path, output: Path) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            begin(order, counter, output)
            code = execute(order["arguments"])
        except BaseException:  # noqa: BLE001 - a traceback in the output is what tests look for
            sys.excepthook(*sys.exc_info())
        finally:
            sys.setprofile(None)
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def begin(order: dict[str, object], counter: Path, output: Path) -> None:
    """Make the forked process what the order says."""
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number, opened in enumerate((nothing, written, written)):
        os.dup2(opened, number)
    signal.alarm(order["seconds"])
    if order["at"]:
        watch(order["at"], order["number"], order["signal"], counter)


def execute(arguments: list[str]) -> int:
    """Do what is asked for, and return its exit code."""
    command, *rest = arguments
    if command in BESIDE:
        BESIDE[command](*rest)
        return 0
    try:
        main(arguments)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


if __name__ == "__main__":
    for one in COMMANDS:
        one.load()
    folder = Path(sys.argv[1])
    counter, output = folder / "counter", folder / "output"
    for line in sys.stdin:
        counter.write_text("0 0")
        sys.stdout.write(f"{run(json.loads(line), counter, output)} {counter.read_text()}\n")
        sys.stdout.flush()
