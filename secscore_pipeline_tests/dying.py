"""Runs `secscore sync` over and over, each time in a forked process that dies at an instant given by its progress.

A line of JSON on standard input asks for a run: {"environment": {...}, "at": KIND, "number": N}. The answer, a line on
standard output, is what the run ended with (its exit code, or minus the signal) and how many statements it executed.
"signal" is what it is sent, SIGKILL where nothing is said.

The kinds:
`statement` and `after_statement` (before or after the N-th statement that DuckDB is given), `byte` (killed by the write
that makes any file longer than N bytes) and `never`.
"""

import json
import os
import resource
import signal
import sys
from pathlib import Path

import secscore_pipeline.automation
import secscore_pipeline.checks  # noqa: F401 - imported once for all runs; the definitions read the environment
from secscore_pipeline.cli import main


def watch(at: str, number: int, counter: Path, sent: int) -> None:
    """Count what DuckDB is given, and send this process a signal when its time has come."""
    if at == "byte":
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (number, number))
        return
    seen = 0
    watched = "c_return" if at == "after_statement" else "c_call"

    def profile(_frame: object, event: str, called: object) -> None:
        nonlocal seen
        if event == watched and getattr(called, "__name__", "") == "execute":
            seen += 1
            if at == "never":
                counter.write_text(str(seen))
            elif seen == number:
                os.kill(os.getpid(), sent)

    sys.setprofile(profile)


def run(order: dict[str, object], counter: Path) -> int:
    child = os.fork()
    if child == 0:
        os.environ.update(order["environment"])
        watch(order["at"], order["number"], counter, order.get("signal", signal.SIGKILL))
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        code = 1
        try:
            code = main(["sync"], standalone_mode=False) or 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    counter = Path(sys.argv[1])
    for line in sys.stdin:
        counter.write_text("0")
        sys.stdout.write(f"{run(json.loads(line), counter)} {counter.read_text()}\n")
        sys.stdout.flush()
