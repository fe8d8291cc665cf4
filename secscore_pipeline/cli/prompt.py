"""A prompt for SQL, with history, completion, and commands that other prompts have."""

import os
import re
import readline
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Protocol

import duckdb
from rich.console import Console
from rich.text import Text

from secscore_pipeline.cli.prompt_commands import Question, normalize_line, parse_command
from secscore_pipeline.posture.query import Rows, describe_object, run_query
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.system.stopping import handle_interrupts, is_requested
from secscore_pipeline.warehouse.errors import WarehouseError

Published = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]

_HISTORY_LENGTH = 1_000
_HINT = "SQL, ended with ; - help lists commands, \\d lists tables and views, quit or Ctrl-D leaves."

_HELP = """\
SQL, ended with ;     from posture.current_scores;   Lines without ; are continued.
\\d                    list the tables, views and macros
\\d NAME               the columns of one, and what they mean (also: describe NAME)
\\x                    print every column, a record after the other where it is wide; \\x again: as before
help                  this text
quit                  leave (also: exit, \\q, Ctrl-D); Ctrl-C clears the line or leaves
Tab completes names. Begin with: from posture.current_scores; from posture.potential_increase('NAME OF A SUBSCRIPTION');
What each table holds: docs/tables.md"""

_QUIT_COMMANDS = {"\\q", "quit", "exit", ".quit", ".exit", "q", ":q", "\\quit", "bye"}
_HELP_COMMANDS = {"help", "?", "h", "\\?", "\\h", "\\help", ".help", "/help", "-h", "--help"}
_EXPAND_COMMANDS = {"\\x", ".mode line"}


class PrintRows(Protocol):
    """What prints an answer."""

    def __call__(self, columns: list[str], rows: Rows, *, has_all: bool) -> None:
        """Print columns and rows, and leave out nothing where that is wanted."""


def run_prompt(published: Published, print_rows: PrintRows, error_console: Console, *, has_all: bool = False) -> None:
    """Read SQL and print the answers until the input ends; the database is open only while it answers.

    Args:
        published: opens the database that is queried.
        print_rows: prints the columns and rows of an answer.
        error_console: prints what was not understood.
        has_all: whether answers have every column from the beginning.
    """
    error_console.print(Text(_HINT, style="dim"))
    history_file = _load_history()
    words, keywords = _list_words(published)
    readline.set_completer(_make_completer(words))
    readline.set_completer_delims(" \t\n,()=<>*+")
    readline.parse_and_bind("tab: complete")
    prompt = _Prompt(error_console, keywords, has_all=has_all)
    with handle_interrupts():
        for question in prompt.read_questions():
            try:
                with published() as connection:
                    columns, rows = question(connection)
            except WarehouseError as error:
                error_console.print(Text(f"✗ {error}", style="red"), soft_wrap=True)
            except (KeyboardInterrupt, duckdb.InterruptException):
                if is_requested():
                    raise
                error_console.print("Stopped.")
            else:
                print_rows(columns, rows, has_all=prompt.has_all)
            if history_file:
                readline.write_history_file(history_file)


class _Prompt:
    """Reads lines and makes questions of them.

    Args:
        error_console: prints what was not understood.
        keywords: the words of SQL, with one of which a statement begins; none where they are not known.
        has_all: whether answers have every column.
    """

    def __init__(self, error_console: Console, keywords: set[str], *, has_all: bool) -> None:
        self._error_console, self._keywords, self.has_all = error_console, keywords, has_all

    def read_questions(self) -> Iterator[Question]:
        """Yield what is typed, a query for each semicolon or command, until the end of the input."""
        typed: list[str] = []
        while True:
            try:
                line = input("...> " if typed else "sql> ")
            except KeyboardInterrupt:
                if is_requested() or not (typed or readline.get_line_buffer()):
                    raise  # a signal to end, or Ctrl-C where there is nothing to clear
                typed = []
                print()  # noqa: T201 - to the terminal that is typed at
                continue
            except EOFError:
                print()  # noqa: T201
                return
            command = normalize_line(line)
            if command in _QUIT_COMMANDS:
                return
            if command in _HELP_COMMANDS:
                self._error_console.print(Text(_HELP))
            elif typed:
                typed.append(line)
                if not line.strip():
                    self._error_console.print(Text("End it with ; to have it answered; Ctrl-C clears it.", style="dim"))
            elif (question := self._find_command(command)) is not None:
                yield question
            elif command and self._is_sql(line):
                typed.append(line)
            if typed and typed[-1].rstrip().endswith(";"):
                yield partial(run_query, text="\n".join(typed))
                typed = []

    def _find_command(self, command: str) -> Question | None:
        """Return the question that a command, or a name alone, stands for; None where it is none."""
        if question := parse_command(command):
            return question
        if self._keywords and re.fullmatch(r"[a-z_]\w*(\.\w+)?", command) and command not in self._keywords:
            return partial(describe_object, name=command)
        return None

    def _is_sql(self, line: str) -> bool:
        """Return whether a first line begins a statement; say what to do where it does not."""
        word = re.match(r"[a-z_]\w*", line.strip(), re.IGNORECASE)
        if line.strip().rstrip(";") in _EXPAND_COMMANDS:
            self.has_all = not self.has_all
            self._error_console.print("Every column is printed." if self.has_all else "Wide answers leave columns out.")
            return False
        if line.lstrip().startswith(("\\", ".")):
            self._error_console.print(Text(f"There is no command {line.split()[0]}; help lists them.", style="red"))
            return False
        if word is None or not self._keywords or word[0].lower() in self._keywords or ";" in line:
            return True
        says = f"{word[0]} begins no SQL, which begins with from, select and the like; help says what else there is."
        self._error_console.print(Text(says, style="red"))
        return False


def _load_history() -> Path | None:
    """Read what was typed before; return its file, for its owner alone, or None where there can be none."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    path = Path(os.path.expanduser(state)) / "secscore" / "history"  # noqa: PTH111 - a name without a home stays
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        readline.read_history_file(path)
    except OSError:  # a prompt without a memory is a prompt
        return None
    readline.set_history_length(_HISTORY_LENGTH)
    return path


def _list_words(published: Published) -> tuple[list[str], set[str]]:
    """Return the names that the store holds, and the words of SQL; none where it cannot be opened."""
    try:
        with published() as connection:
            found = connection.execute(load_sql("posture/list_completions")).fetchall()
    except WarehouseError:  # the first question says what is wrong
        found = []
    return [word for word, is_keyword in found if not is_keyword], {word for word, is_keyword in found if is_keyword}


def _make_completer(words: list[str]) -> Callable[[str, int], str | None]:
    def complete(text: str, number: int) -> str | None:
        fitting = [word for word in words if word.startswith(text)]
        return fitting[number] if number < len(fitting) else None

    return complete
