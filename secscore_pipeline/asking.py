"""Questions in SQL and their answers as text: for people, spreadsheets, programs and documents."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import duckdb

from secscore_pipeline.shown import printable
from secscore_pipeline.warehouse.connection import WarehouseError

Rows = list[tuple[Any, ...]]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def asked(connection: duckdb.DuckDBPyConnection, text: str) -> tuple[list[str], Rows]:
    """Return the columns and rows that answer a question.

    Raises:
        WarehouseError: it was not understood, or would change the database.
    """
    try:
        cursor = connection.execute(text)
        return [column[0] for column in cursor.description or []], cursor.fetchall()
    except (duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError, duckdb.OperationalError) as error:
        what = f"It was not understood: {printable(str(error).splitlines()[0])}."
        raise WarehouseError(what, "query-wrong") from error


def as_csv(columns: Sequence[str], rows: Rows) -> str:
    """Return rows as CSV (RFC 4180). A text that a spreadsheet would run as a formula gets an apostrophe before it."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([[safe(cell) for cell in row] for row in rows])
    return out.getvalue()


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


def safe(cell: Any) -> Any:
    """Return a cell for CSV: a text that a spreadsheet would run as a formula gets an apostrophe before it."""
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return f"'{cell}"
    return _text(cell) if not isinstance(cell, str | int | float) else cell


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    return cell.isoformat() if isinstance(cell, datetime) else str(cell)


FORMS: dict[str, Callable[[Sequence[str], Rows], str]] = {"csv": as_csv, "json": as_json, "markdown": as_markdown}
"""How rows can be written, by name."""
