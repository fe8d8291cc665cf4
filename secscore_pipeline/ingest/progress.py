"""How far long work is, for whoever watches it: a terminal's bars, where there are some."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Watcher = Callable[[str, int, int], None]
"""Is called with what is done, how much of it, and of how much."""

_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


def report_progress(what: str, done: int, total: int) -> bool:
    """Say that so much of some work is done; return False where nobody watches."""
    watcher = _watcher.get()
    if watcher is None:
        return False
    watcher(what, done, total)
    return True


@contextmanager
def watch_progress(watcher: Watcher) -> Iterator[None]:
    """Report the progress of a block to somebody."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)
