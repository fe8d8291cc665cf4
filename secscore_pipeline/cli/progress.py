"""Progress bars for long work, on a terminal; elsewhere the work reports its progress to its log."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from secscore_pipeline.ingest.progress import watch_progress


@contextmanager
def show_progress(console: Console) -> Iterator[None]:
    """Draw a bar for each task that reports its progress in the block, on a terminal only; they go at the end."""
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
