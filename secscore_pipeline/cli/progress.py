"""How far long work is: bars where somebody waits at a terminal; elsewhere the work tells its log from time to time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_show: ContextVar[Callable[[str, int, int], None] | None] = ContextVar("show", default=None)


def is_shown(what: str, done: int, total: int) -> bool:
    """Show that so much of some work is done; return False where nobody watches."""
    show = _show.get()
    if show is None:
        return False
    show(what, done, total)
    return True


@contextmanager
def bars(console: Console) -> Iterator[None]:
    """Draw a bar for each work that is told of in the block, where the console is a terminal; they go in the end."""
    if not console.is_terminal:
        yield
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        tasks = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, total=total)

        token = _show.set(show)
        try:
            yield
        finally:
            _show.reset(token)
