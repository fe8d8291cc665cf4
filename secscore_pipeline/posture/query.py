"""Questions in SQL and their answers as text: for people, spreadsheets, programs and documents."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import duckdb

from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.text import find_nearest, printable, suggest
from secscore_pipeline.warehouse.errors import WarehouseError
from secscore_pipeline.warehouse.statements import execute

Rows = list[tuple[Any, ...]]


class SupportsWrite(Protocol):
    """What CSV can be written to."""

    def write(self, text: str, /) -> object:
        """Write a text."""


_FORMULA = re.compile(r"((?:^|[;\t\r\n])['\"\s]*)([=+\-@\uff1d\uff0b\uff0d\uff20])")
"""Where a spreadsheet may begin a cell, in whatever language, and the characters that make a formula of it.

Source: OWASP, CSV Injection.
"""

_BREAKS = ("\t", "\r", "\n")
"""What a spreadsheet may pass over at the beginning of a cell, so that the next character begins it."""

_READING = {duckdb.StatementType.SELECT}

_EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?(\(\s*format[^)]*\)\s*)?", re.IGNORECASE)

_READING_FUNCTIONS = re.compile(
    r"duckdb_\w+|pragma_\w+|read_\w+|parquet_\w+|json_(each|tree)|glob|sniff_csv|range|generate_series|unnest|summary"
    r"|repeat|repeat_row|icu_calendar_names|pg_timezone_names|test_\w+"
)
"""The table functions of DuckDB that only read."""


def resolve_allowed_paths(given: Iterable[str | Path]) -> tuple[Path, ...]:
    """Return the files and folders that SQL may read beside the database.

    Raises:
        WarehouseError: one is not there.
    """
    paths = tuple(Path(one) for one in given)
    for path in paths:
        if not path.exists():
            raise WarehouseError(f"{printable(str(path))} is not there to be read.", "path-absent")
    return paths


def refuse_writing(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """Refuse SQL that does more than read.

    What a connection may reach, it may write too, even where the database is read-only (`copy … to`, `attach`, a log);
    and extensions write by functions. So only queries are allowed, and only functions known to read.

    Args:
        connection: the one on which the SQL is to run, with access restricted.
        text: one or more statements.

    Raises:
        WarehouseError: a statement is no question, or calls a function that may do more than read.
        duckdb.Error: it is no SQL.
    """
    for kind in _kinds(connection, text):
        if kind not in _READING:
            raise WarehouseError(f"{kind.name} does more than read.", "query-writes")
    rows = connection.execute("select function_name from duckdb_functions() where function_type = 'table'").fetchall()
    names = sorted({re.escape(name) for (name,) in rows if not _READING_FUNCTIONS.fullmatch(name)})
    # The name, what may stand between it and its parenthesis, and that or a comment.
    call = rf"(?<!\w)({'|'.join(names)})\b\"?[^\w(,;).=<>+'-]*(\(|/\*|--)"
    if called := re.search(call, text, re.IGNORECASE):
        raise WarehouseError(f"The function {called[1]} may do more than read.", "query-writes")


def _kinds(connection: duckdb.DuckDBPyConnection, text: str) -> Iterator[duckdb.StatementType]:
    """Yield what each statement does; of EXPLAIN, which may execute what it explains, what that does."""
    makes_something = re.search(r"\bcreate\b", text, re.IGNORECASE)
    for statement in connection.extract_statements(text):
        if statement.type == duckdb.StatementType.EXPLAIN:
            yield from _kinds(connection, _EXPLAIN.sub("", statement.query, count=1))
        elif statement.type == duckdb.StatementType.CREATE and not makes_something:
            continue  # of PIVOT DuckDB makes two statements, the first of which makes a temporary type
        else:
            yield statement.type


@contextmanager
def explain_access() -> Iterator[None]:
    """Explain where SQL of the block reads what it may not.

    Raises:
        WarehouseError: it does.
    """
    try:
        yield
    except duckdb.PermissionException as error:
        what = f"It may not read that: {printable(str(error).splitlines()[0])}."
        raise WarehouseError(what, "query-reaches-out") from error


def run_query(connection: duckdb.DuckDBPyConnection, text: str) -> tuple[list[str], Rows]:
    """Return the columns and rows that answer a question.

    Raises:
        WarehouseError: it was not understood, or does more than read.
    """
    try:
        with explain_access():
            refuse_writing(connection, text)
            return _read_rows(connection.execute(text))
    except (duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError, duckdb.OperationalError) as error:
        said = _format_error(error)
        if missing := re.search(r"No such subscription: .*", said):
            raise WarehouseError(missing[0], "query-subscription") from error
        if unknown := _unknown_name_in(error, text):
            raise WarehouseError(_describe_unknown(connection, unknown), "query-wrong") from error
        raise WarehouseError(f"It was not understood: {said}", "query-wrong") from error


def _read_rows(cursor: duckdb.DuckDBPyConnection) -> tuple[list[str], Rows]:
    """Return the columns and rows of what was executed."""
    return [column[0] for column in cursor.description or []], cursor.fetchall()


def _unknown_name_in(error: duckdb.Error, text: str) -> str | None:
    """Return the table, view or macro, as the question has it, that DuckDB does not know; None for another error.

    DuckDB's own suggestions leave out the schema, and name tables that are not the store's.
    """
    found = re.match(r'Catalog Error: Table (?:Function )?with name "?(\S+?)"? does not exist', str(error))
    if not (found and isinstance(error, duckdb.CatalogException)):
        return None
    name = rf'(?:\b(?:posture|ocsf|raw)"?\."?)?(?<!\w){re.escape(found[1])}(?!\w)'
    with_schema = re.search(name, text, re.IGNORECASE)
    return with_schema[0].replace('"', "") if with_schema else found[1]


def _format_error(error: duckdb.Error) -> str:
    """Return what DuckDB says is wrong, its suggestions included, without the line that it points at."""
    said = printable(" ".join(re.split(r"\n\s*LINE \d", str(error))[0].split()))
    return said if said.endswith((".", "!", "?")) else f"{said}."


def describe_object(connection: duckdb.DuckDBPyConnection, name: str) -> tuple[list[str], Rows]:
    """Return the columns of a table or view and what they mean; of a macro, how it is called.

    Args:
        connection: open for reading.
        name: with its schema or without, in any case.

    Raises:
        WarehouseError: there is none of that name; the nearest ones are named.
    """
    columns, rows = _read_rows(execute(connection, load_sql("posture/describe_object"), {"name": name.lower()}))
    if not rows:
        raise WarehouseError(_describe_unknown(connection, name), "query-wrong")
    return columns, rows


def _describe_unknown(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """Say that there is no table, view or macro of a name, and which may be meant: of those that analysts use first."""
    listed = [str(row[0]).partition("(")[0] for row in connection.execute(load_sql("posture/list_objects")).fetchall()]
    schema, _, short = name.lower().rpartition(".")
    by_short: dict[str, str] = {}
    for entry in sorted(listed, key=lambda entry: not entry.startswith(f"{schema}.")):
        by_short.setdefault(entry.partition(".")[2], entry)
    return f"There is no table, view or macro {printable(name)}.{suggest(find_nearest(short, by_short))}"


def as_csv(columns: Sequence[str], rows: Rows) -> str:
    """Return rows as CSV (RFC 4180) that a spreadsheet reads as text and numbers, and runs nothing of."""
    out = io.StringIO()
    writer = csv_writer(out)
    writer.writerow([escape_formula(column) for column in columns])
    writer.writerows([[escape_formula(cell) for cell in row] for row in rows])
    return out.getvalue()


def csv_writer(file: SupportsWrite) -> Any:
    """Return a writer of CSV in which every text stands in quotes, for cells made by `safe`.

    A spreadsheet that separates columns by `;` or tabs, as many languages have it, then does not begin a cell in the
    middle of a text.
    """
    return csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)


def as_json(columns: Sequence[str], rows: Rows) -> str:
    """Return rows as a JSON list of objects; times are RFC 3339, what JSON has no word for is text."""
    shown = [dict(zip(columns, row, strict=True)) for row in rows]
    return json.dumps(shown, indent=2, ensure_ascii=False, default=_text) + "\n"


def as_markdown(columns: Sequence[str], rows: Rows) -> str:
    """Return rows as a Markdown table."""
    lines = [columns, ["---"] * len(columns), *([_text(cell) for cell in row] for row in rows)]
    return "".join(
        f"| {' | '.join(printable(cell).replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines
    )


def escape_formula(cell: Any) -> Any:
    """Return a cell for CSV: a text of which a spreadsheet would run a part as a formula gets an apostrophe before it.

    Wherever a spreadsheet may begin a cell, the formula's first character is disarmed too: a spreadsheet that separates
    columns otherwise may pass over the quotes.
    """
    if not isinstance(cell, str | int | float | Decimal) or isinstance(cell, bool):
        cell = _text(cell)
    if not isinstance(cell, str):
        return cell
    disarmed = _FORMULA.sub(r"\1'\2", cell)
    return f"'{disarmed}" if cell.startswith(_BREAKS) else disarmed


def is_formula(text: str) -> bool:
    """Return whether a spreadsheet may take a text, or a part of it, for a formula."""
    return text.startswith(_BREAKS) or _FORMULA.search(text) is not None


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, list | dict):
        return json.dumps(cell, ensure_ascii=False, default=str)
    return cell.isoformat() if isinstance(cell, datetime) else str(cell)


FORMS: dict[str, Callable[[Sequence[str], Rows], str]] = {"csv": as_csv, "json": as_json, "markdown": as_markdown}
"""How rows can be written, by name."""
