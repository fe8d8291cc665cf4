"""A workbook (xlsx) for spreadsheet programs: a sheet for each view, in which times, numbers and texts stay such.

Source: ECMA-376 (Office Open XML), and Microsoft's limits of a sheet.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from secscore_pipeline.posture.query import is_formula

MAX_ROWS = 1_048_576
"""How many rows a sheet has at most, its heading among them."""

_LONGEST_TEXT = 32_767
"""In units of UTF-16, in which a spreadsheet counts: a character beyond the first 65,536 is two."""

_LONGEST_NAME = 31
_LARGEST_NUMBER = 10**15
"""From where a spreadsheet, which counts in doubles and shows 15 digits, would change the last digits of a number."""

_WIDEST = 60
_FIRST_DATE = date(1900, 3, 1)
"""Before it a spreadsheet counts a day that there never was."""

_NO_CHARACTER = re.compile("[\ufffe\uffff]")
"""What XML cannot hold, and XlsxWriter would write all the same."""

Batches = Iterable[Sequence[Sequence[Any]]]
"""Rows, some at a time."""


def write_workbook(
    path: Path, sheets: Iterable[tuple[str, Sequence[str], Batches]], temporary: Path, *, max_rows: int = MAX_ROWS
) -> tuple[int, list[str]]:
    """Write a workbook, row by row, so that it takes no more memory than a row.

    Texts stay texts: none becomes a formula or a link. Times are UTC, without a zone, since a spreadsheet knows none.

    Args:
        path: the file.
        sheets: for each the name, the names of its columns, and its rows.
        temporary: a private folder for files on their way.
        max_rows: how many rows a sheet has at most; the next ones go into another sheet.

    Returns:
        How many rows were written, and a sentence for each thing that a sheet could not hold.
    """
    from xlsxwriter import Workbook

    rows, notes = 0, []
    with Workbook(str(path), {"constant_memory": True, "tmpdir": str(temporary), "in_memory": False}) as workbook:
        writer = _Writer(workbook, max_rows)
        for name, columns, batches in sheets:
            rows += writer.write_sheets(name, columns, (row for batch in batches for row in batch))
        notes = writer.notes
    return rows, notes


class _Writer:
    """Writes the sheets of a workbook."""

    def __init__(self, workbook: Any, max_rows: int) -> None:
        self._workbook = workbook
        self._max_rows = max_rows
        self._heading = workbook.add_format({"bold": True, "bottom": 1})
        self._time = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._day = workbook.add_format({"num_format": "yyyy-mm-dd"})
        # Edited and entered again, a text with this mark stays one, whatever it begins with.
        self._text = workbook.add_format({"quote_prefix": True})
        self.notes: list[str] = []

    def write_sheets(self, name: str, columns: Sequence[str], rows: Iterator[Sequence[Any]]) -> int:
        """Write a sheet, and further ones where the rows are more than it holds; return how many rows there were."""
        written, number = 0, 1
        sheet = self._begin(name, number, columns)
        line = 1
        cut = 0
        for row in rows:
            if line == self._max_rows:
                self._end(sheet, line, columns)
                number += 1
                sheet, line = self._begin(name, number, columns), 1
            cut += sum(self._write_cell(sheet, line, column, cell) for column, cell in enumerate(row))
            line += 1
            written += 1
        self._end(sheet, line, columns)
        if number > 1:
            self.notes.append(f"{name} has more rows than a sheet holds ({self._max_rows:,}): {number} sheets.")
        if cut:
            self.notes.append(f"{cut} texts of {name} are longer than a cell holds ({_LONGEST_TEXT:,}) and were cut.")
        return written

    def _begin(self, name: str, number: int, columns: Sequence[str]) -> Any:
        suffix = f" {number}" if number > 1 else ""
        sheet = self._workbook.add_worksheet(f"{name[: _LONGEST_NAME - len(suffix)]}{suffix}")
        sheet.freeze_panes(1, 0)
        for column, title in enumerate(columns):
            is_long = title.endswith(("_at", "_id", "name")) or title in ("control", "recommendation")
            sheet.set_column(column, column, min(max(len(title) + 2, 24 if is_long else 12), _WIDEST))
        for column, title in enumerate(columns):
            sheet.write_string(0, column, title, self._heading)
        return sheet

    def _end(self, sheet: Any, lines: int, columns: Sequence[str]) -> None:
        if columns:
            sheet.autofilter(0, 0, max(lines - 1, 0), len(columns) - 1)

    def _write_cell(self, sheet: Any, line: int, column: int, cell: Any) -> bool:
        """Write a cell as what it is; return whether its text had to be cut."""
        if cell is None:
            return False
        if isinstance(cell, bool):
            sheet.write_boolean(line, column, cell)
        elif isinstance(cell, int | float | Decimal) and -_LARGEST_NUMBER < cell < _LARGEST_NUMBER:  # which NaN is not
            sheet.write_number(line, column, cell)
        elif isinstance(cell, datetime):
            utc = (cell.astimezone(UTC) if cell.tzinfo else cell).replace(tzinfo=None)
            if utc.date() < _FIRST_DATE:
                sheet.write_string(line, column, utc.isoformat(" "))
            else:
                sheet.write_datetime(line, column, utc, self._time)
        elif isinstance(cell, date) and cell >= _FIRST_DATE:
            sheet.write_datetime(line, column, datetime(cell.year, cell.month, cell.day), self._day)  # noqa: DTZ001
        else:
            return self._write_text(sheet, line, column, cell)
        return False

    def _write_text(self, sheet: Any, line: int, column: int, cell: Any) -> bool:
        is_nested = isinstance(cell, dict | list)
        text = json.dumps(cell, ensure_ascii=False, default=str) if is_nested else str(cell)
        text = _NO_CHARACTER.sub("\ufffd", text)
        shown = _cut(text)
        sheet.write_string(line, column, shown, self._text if is_formula(shown) else None)
        return shown != text


def _cut(text: str) -> str:
    """Return a text as long as a cell holds it; where it had to be cut, its end is an ellipsis."""
    encoded = text.encode("utf-16-le", "surrogatepass")
    if len(encoded) <= 2 * _LONGEST_TEXT:
        return text
    return f"{encoded[: 2 * (_LONGEST_TEXT - 1)].decode('utf-16-le', 'ignore')}…"
