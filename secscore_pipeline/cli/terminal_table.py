"""The rows of a query for a terminal: a table where it fits, else one record after the other."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from operator import attrgetter
from typing import Any, NamedTuple

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from secscore_pipeline.text import GUID, printable

Rows = Sequence[tuple[Any, ...]]

MAX_RECORDS = 3
"""Of so many rows no table is made that does not fit: what columns have in common then says nothing."""

_GAP = 2
"""Blanks between columns."""

_MAX_PROSE = 24
"""To how many characters a column of sentences may be narrowed."""

_MAX_CONSTANT = 24
"""How long a value may be that is quoted from a column which is left out."""


class Answer(NamedTuple):
    """What is printed, and a sentence on what was left out; None where nothing was."""

    shown: RenderableType
    note: str | None


@dataclass(frozen=True)
class _Column:
    """One column, its cells as they are printed; `heading` is its name, on several lines where that is narrower."""

    name: str
    cells: tuple[str, ...]
    is_number: bool
    is_text: bool
    heading: str

    @cached_property
    def width(self) -> int:
        return max(map(cell_len, (*self.heading.splitlines(), *self.cells)))

    def fold_heading(self) -> "_Column":
        """Return the same with its name broken after underscores, no narrower than its cells."""
        parts = re.findall(r"[^_]*_*", self.name)
        width, lines = max([*map(cell_len, parts), *map(cell_len, self.cells)]), [""]
        for part in parts:
            if cell_len(lines[-1] + part) > width:
                lines.append("")
            lines[-1] += part
        return replace(self, heading="\n".join(lines))

    @property
    def is_constant(self) -> bool:
        return len(set(self.cells)) <= 1

    @property
    def is_id(self) -> bool:
        present = [cell for cell in self.cells if cell]
        return self.name.endswith("_id") or (bool(present) and all(GUID.fullmatch(cell) for cell in present))

    @property
    def is_prose(self) -> bool:
        return max(map(cell_len, self.cells), default=0) > _MAX_PROSE and any(" " in cell for cell in self.cells)

    @property
    def min_width_needed(self) -> int:
        """The width that it needs."""
        return _MAX_PROSE if self.is_prose else self.width

    def names_the_same(self, other: "_Column") -> bool:
        """Return whether each value of one stands beside the same value of the other."""
        pairs = set(zip(self.cells, other.cells, strict=True))
        return len(pairs) == len(set(self.cells)) == len(set(other.cells))


def fit_answer(names: Sequence[str], rows: Rows, width: int, *, has_all: bool = False) -> Answer:
    """Return rows as they fit a terminal.

    What says least is left out first: columns with the same value in every row, those that name what another one
    names, then IDs. Where that is not enough, or there are only few rows, each record is printed with all its columns.

    Args:
        names: of the columns.
        rows: as DuckDB returns them.
        width: of the terminal, in characters.
        has_all: whether to leave out nothing.
    """
    columns = [
        _Column(
            printable(name),
            tuple(_format_cell(row[index]) for row in rows),
            _are_all(rows, index, (int, float, Decimal)),
            _are_all(rows, index, (str,)),
            printable(name),
        )
        for index, name in enumerate(names)
    ]
    if _fits(columns, width):
        return Answer(_build_table(columns), None)
    if not has_all and len(rows) > MAX_RECORDS:
        kept, left_out = _leave_out(columns, width)
        if _fits(kept, width):
            return Answer(_build_table(kept), _describe_left_out(left_out))
    return Answer(Group(*_build_records(columns)), None)


def format_text(names: Sequence[str], rows: Rows) -> str:
    """Return every column of rows as text of whatever width, for files and programs."""
    table = [
        list(map(printable, names)),
        *([printable("" if cell is None else str(cell)) for cell in row] for row in rows),
    ]
    widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table)
    return "".join(f"{line}\n" for line in lines)


def _leave_out(columns: list[_Column], width: int) -> tuple[list[_Column], list[_Column]]:
    """Return the columns that stay, and those that do not."""
    kept = [column for column in columns if not column.is_constant]
    if not _fits(kept, width):
        kept = [column.fold_heading() for column in kept]
    for wanted in (_is_named_by_another, _is_spare_id):
        while not _fits(kept, width) and (found := [column for column in kept if wanted(column, kept)]):
            kept.remove(max(found, key=attrgetter("width")))
    names = {column.name for column in kept}
    return kept, [column for column in columns if column.name not in names]


def _is_named_by_another(column: _Column, kept: Sequence[_Column]) -> bool:
    """Return whether a shorter text stands for each of the column's."""
    others = (other for other in kept if other is not column and other.width <= column.width and other.is_text)
    return column.is_text and not _identifies_rows(column, kept) and any(map(column.names_the_same, others))


def _is_spare_id(column: _Column, kept: Sequence[_Column]) -> bool:
    return column.is_id and not _identifies_rows(column, kept)


def _identifies_rows(column: _Column, kept: Sequence[_Column]) -> bool:
    """Return whether a column says what a row is about, where no name does."""
    return column.name == "subscription_id" and not any(other.name in ("subscription_name", "name") for other in kept)


def _fits(columns: Sequence[_Column], width: int) -> bool:
    return bool(columns) and sum(column.min_width_needed for column in columns) + _GAP * (len(columns) - 1) <= width


def _build_table(columns: Sequence[_Column]) -> Table:
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False)
    for column in columns:
        table.add_column(
            Text(column.heading),
            justify="right" if column.is_number else "left",
            no_wrap=not column.is_prose,
            min_width=None if column.is_prose else column.width,
            overflow="fold",
        )
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, cells))
    return table


def _build_records(columns: Sequence[_Column]) -> Iterator[RenderableType]:
    names = max(cell_len(column.name) for column in columns)
    count = len(columns[0].cells)
    for number in range(count):
        record = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, show_header=False)
        record.add_column(min_width=names, no_wrap=True, style="dim")
        record.add_column(overflow="fold")
        for column in columns:
            record.add_row(Text(column.name), Text(column.cells[number]))
        yield Text(f"-- {number + 1} of {count} --", style="dim")
        yield record


def _describe_left_out(left_out: Sequence[_Column]) -> str:
    same, others = [], []
    for one in left_out:
        if one.is_constant and len(one.cells[0]) <= _MAX_CONSTANT:
            same.append(f"{one.name} {one.cells[0] or '(empty)'}")
        else:
            others.append(one.name)
    parts = [f"In every row: {', '.join(same)}." if same else "", f"Left out: {', '.join(others)}." if others else ""]
    return " ".join(filter(None, [*parts, "All columns: --all, \\x at the prompt, or --format json."]))


def _are_all(rows: Rows, index: int, types: tuple[type, ...]) -> bool:
    present = [row[index] for row in rows if row[index] is not None]
    return bool(present) and all(isinstance(cell, types) and not isinstance(cell, bool) for cell in present)


def _format_cell(cell: Any) -> str:
    """Return a cell as a person reads it: times to the second, and no more digits than say something."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%d %H:%M:%S}"
    if isinstance(cell, timedelta):
        return str(cell - timedelta(microseconds=cell.microseconds))
    if isinstance(cell, float):
        return repr(round(cell, 4)) if cell == 0 or abs(cell) >= 0.001 else f"{cell:.3g}"
    return printable(str(cell))
