"""How a run of the tests gets on with its machine: what may be missing, and how slow it may be.

A test is skipped where the machine lacks what it needs; the run ends with what was skipped, and how to get it. A test
that starts a program which it did not name fails, also where the program is installed. A test that never ends, or waits
in vain, fails with one line.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from testbed.needs import NEEDS, describe_lack, find_need, use_need
from testbed.waiting import DEADLINE, DeadlineError

LIMIT = 6 * DEADLINE
"""How many seconds a test may take, and so may what is set up before it, or ended after it."""

_ROOT = Path(__file__).resolve().parents[2]
_SKIPPED_FOR = "skipped for want of"

_OF_THE_MACHINE = re.compile(
    r".*_proxy|PG[A-Z]+|AZURE_.*|SECSCORE_(?!TEST_).*|(REQUESTS|CURL)_CA_BUNDLE|SSL_CERT_(FILE|DIR)|NETRC",
    re.IGNORECASE,
)
"""Variables by which people lead HTTP clients, PostgreSQL's clients and this project elsewhere."""


def pytest_configure(config: pytest.Config) -> None:
    """Let no setting of the machine reach a test or what several of them share.

    A shell's background job ignores SIGINT, which processes inherit; Dagster gives SIGTERM what SIGINT has.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in filter(_OF_THE_MACHINE.fullmatch, list(os.environ)):
        del os.environ[name]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test with what its fixtures stand for."""
    fixtures = set(getattr(item, "fixturenames", ()))
    for name, need in NEEDS.items():
        if fixtures & set(need.fixtures):
            item.add_marker(pytest.mark.needs(name))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder with Microsoft's published examples."""
    return use_need("shared")


def _needs_of(item: pytest.Item) -> set[str]:
    return {name for marker in item.iter_markers("needs") for name in marker.args}


@pytest.hookimpl(wrapper=True, trylast=True)  # pytest's own have begun then what they end after a test that skips
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Skip a test where something is missing; watch what is set up for it."""
    missing = [name for name in sorted(_needs_of(item)) if find_need(name) is None]
    item.user_properties += [(_SKIPPED_FOR, name) for name in missing]
    if missing:
        pytest.skip("; ".join(map(describe_lack, missing)))
    with _limited(), _watched(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Watch a test."""
    with _limited(), _watched(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Watch the end of a test: of what others have set up, too."""
    with _limited():
        return (yield)


@contextmanager
def _limited() -> Iterator[None]:
    """Fail what is going on in the main thread if it has not ended within the limit."""

    def give_up(*_: object) -> None:
        pytest.fail(f"it has not ended in {LIMIT} s", pytrace=False)

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _watched(item: pytest.Item) -> Iterator[None]:
    """Fail a test that starts a program which neither every machine has nor the test names among its needs."""
    needed = [place for place in map(find_need, _needs_of(item)) if place]
    start: Any = subprocess.Popen.__init__

    @wraps(start)
    def start_what_is_named(self: object, args: Any, *more: Any, **options: Any) -> None:
        program = "sh" if options.get("shell") else str(args if isinstance(args, str | Path) else args[0])
        if _is_of_the_project(sys._getframe(1)) and not _is_named(program, needed):
            pytest.fail(f"it starts {program}, which is none of its needs: see needs.py", pytrace=False)
        start(self, args, *more, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess.Popen, "__init__", start_what_is_named)
        yield


def _is_of_the_project(frame: Any) -> bool:
    """Say whether a process is started by a line of this project's, and not of a library that may do without it."""
    while frame.f_code.co_filename == subprocess.__file__:
        frame = frame.f_back
    file = Path(frame.f_code.co_filename)
    return file.is_relative_to(_ROOT) and not file.is_relative_to(sys.prefix)


def _is_named(program: str, needed: list[Path]) -> bool:
    place = Path(shutil.which(program) or program)
    known = (Path(sys.executable), _ROOT / "deploy", *needed)
    return place.name == "sh" or any(map(place.is_relative_to, known))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """Tell of a wait that was in vain in one line: where a program hangs, its callers say nothing."""
    report: Any = yield
    if call.excinfo and call.excinfo.errisinstance((DeadlineError, subprocess.TimeoutExpired)):
        ours = [entry for entry in call.excinfo.traceback if entry.path == item.path]
        where = f"{item.path.name}:{ours[-1].lineno + 1}: " if ours else ""
        report.longrepr = where + " ".join(str(call.excinfo.value).split())[:500]
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was skipped because the machine lacks something, and how to get that."""
    skipped = terminalreporter.stats.get("skipped", [])
    counts = Counter(name for report in skipped for what, name in report.user_properties if what == _SKIPPED_FOR)
    if counts:
        terminalreporter.section(_SKIPPED_FOR)
    for name, count in counts.most_common():
        tests = "1 test" if count == 1 else f"{count} tests"
        terminalreporter.line(f"{tests}: {NEEDS[name].title} ({NEEDS[name].advice})")
