"""A prompt for SQL: lines with history and completion, an answer after each semicolon."""

import os
import readline
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import duckdb
from rich.console import Console
from rich.text import Text

from secscore_pipeline.asking import Rows, asked
from secscore_pipeline.stopping import interrupts_handled, is_requested
from secscore_pipeline.warehouse import sql
from secscore_pipeline.warehouse.connection import WarehouseError

Published = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]

_REMEMBERED = 1_000
_HINT = "SQL, ended with ; - \\d lists tables and views, \\q or Ctrl-D leaves, Ctrl-C clears the line or leaves."


def prompt(published: Published, show: Callable[[list[str], Rows], None], complaints: Console) -> None:
    """Ask for SQL and show the answers until there is no more; the database is open for the time of a question only.

    Args:
        published: opens the database that is asked.
        show: prints the columns and rows of an answer.
        complaints: is told what was not understood.
    """
    complaints.print(Text(_HINT, style="dim"))
    with_history = _history()
    readline.set_completer(_completer(published))
    readline.set_completer_delims(" \t\n,()=<>*+")
    readline.parse_and_bind("tab: complete")
    with interrupts_handled():
        for text in _questions():
            try:
                with published() as connection:
                    columns, rows = asked(connection, text)
            except WarehouseError as error:
                complaints.print(Text(f"✗ {error}", style="red"), soft_wrap=True)
            except (KeyboardInterrupt, duckdb.InterruptException):
                if is_requested():
                    raise
                complaints.print("Stopped.")
            else:
                show(columns, rows)
            if with_history:
                readline.write_history_file(with_history)


def _questions() -> Iterator[str]:
    """Yield what is asked, a question for each semicolon, until the end of the input."""
    typed: list[str] = []
    while True:
        try:
            line = input("...> " if typed else "sql> ")
        except KeyboardInterrupt:
            if is_requested() or not (typed or readline.get_line_buffer()):
                raise  # told to end, or Ctrl-C where there is nothing to clear
            typed = []
            print()  # noqa: T201 - to the terminal that is typed at
            continue
        except EOFError:
            print()  # noqa: T201
            return
        if not typed and line.strip() in ("\\q", "exit", "quit"):
            return
        if not typed and line.strip() == "\\d":
            yield sql("tables")
            continue
        if line.strip():
            typed.append(line)
        if typed and typed[-1].rstrip().endswith(";"):
            yield "\n".join(typed)
            typed = []


def _history() -> Path | None:
    """Read what was typed before; return its file, for its owner alone, or None where there can be none."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    path = Path(os.path.expanduser(state)) / "secscore" / "history"  # noqa: PTH111 - a name without a home stays
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        readline.read_history_file(path)
    except OSError:  # a prompt without a memory is a prompt
        return None
    readline.set_history_length(_REMEMBERED)
    return path


def _completer(published: Published) -> Callable[[str, int], str | None]:
    try:
        with published() as connection:
            found = connection.execute(sql("words")).fetchall()
    except WarehouseError:  # the first question says what is wrong
        found = []
    words = [word for (word,) in found]

    def complete(text: str, number: int) -> str | None:
        fitting = [word for word in words if word.startswith(text)]
        return fitting[number] if number < len(fitting) else None

    return complete
