"""Bars for long work, where somebody waits at a terminal; elsewhere the work tells its log from time to time."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from secscore_pipeline.ingest.progress import watch_progress


@contextmanager
def bars(console: Console) -> Iterator[None]:
    """Draw a bar for each work that is reported in the block, where the console is a terminal; they go in the end."""
    if not console.is_terminal:
        yield
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        tasks = {}

        def draw(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, total=total)

        with watch_progress(draw):
            yield
