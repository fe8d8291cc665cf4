"""Writes exports: unit by unit, what is new or has changed, so that a run that was cut short is gone on with."""

import json
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from secscore_pipeline.exports.destination import Destination
from secscore_pipeline.ocsf.validation import build_event
from secscore_pipeline.posture.query import csv_writer, escape_formula
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.errors import WarehouseError
from secscore_pipeline.warehouse.statements import execute, quote_literal

log = logging.getLogger(__name__)

_ROWS = 1_000
"""How many rows are in memory at a time."""

_LIST = "_secscore/{}.json"
"""Where a destination says what has been written there; that it is there marks the files as ours."""

_JSONL, _PARQUET_FILE, _WORKBOOK = "findings.jsonl", "findings.parquet", "posture.xlsx"

_PARQUET = "format parquet, compression zstd, row_group_size 100000"


@dataclass
class ExportResult:
    """What an export came to.

    Attributes:
        units: days, or of views (CSV, xlsx) all together, that were written; `unchanged`: those that were there
            already.
        files, rows, bytes: what was written.
        notes: a sentence for each thing that a file could not hold.
    """

    units: int = 0
    unchanged: int = 0
    files: int = 0
    rows: int = 0
    bytes: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Lake:
    """What the layout of Amazon Security Lake has in its paths: the custom source's name and its region."""

    source: str = "AzureSecureScore"
    region: str = "local"


def export(
    connection: duckdb.DuckDBPyConnection,
    form: str,
    destination: Destination,
    lake: Lake,
    folder: Path,
    *,
    everything: bool = False,
    views: Sequence[str] = (),
    report: Callable[[str], object] = log.info,
) -> ExportResult:
    """Write what a destination does not have yet.

    A unit is a day of findings (UTC), or the views together for CSV and xlsx. What has been written stands in
    `_secscore/<form>.json` there, which is written last: a unit that is not in it is written again under the same
    names, so that nothing stands there twice, however an export ended.

    Args:
        connection: open for reading; it may write to `folder`.
        form: one of settings.EXPORTS.
        destination: where to.
        lake: for `security-lake`.
        folder: private and empty, for files on their way.
        everything: write again what is there already.
        views: for CSV and xlsx, the views of the schema posture to write; empty: all of them.
        report: is called with a message for each unit.

    Raises:
        WarehouseError: the destination cannot be written, or holds files of somebody else under the names of ours.
    """
    chosen = [view for view in list_views(connection) if view in views or not views] if form in OF_VIEWS else []
    units = list(_units(connection, form, views=chosen if views else ()))
    known = _known_units(chosen, form, destination, lake, folder, units)
    if everything:
        known = {}
    result = ExportResult()
    try:
        for unit, fingerprint, day in units:
            if known.get(unit) == fingerprint:
                result.unchanged += 1
                continue
            with _part(folder, "unit") as made:
                if day is not None:
                    execute(connection, load_sql("exports/select_day"), {"day": day})
                if form in OF_VIEWS:
                    rows, notes = _VIEW_WRITERS[form](connection, made, chosen)
                    result.notes += notes
                else:
                    rows = _WRITERS[form](connection, made, unit, lake)
                result.rows += rows
                for file in sorted(path for path in made.rglob("*") if path.is_file()):
                    destination.put(file, file.relative_to(made).as_posix())
                    result.files += 1
                    result.bytes += file.stat().st_size
            known[unit] = fingerprint
            result.units += 1
            report(f"{form}: {unit} written")
    finally:
        if result.units:
            _put_list(destination, form, known, folder)
    return result


def _known_units(
    views: Sequence[str],
    form: str,
    destination: Destination,
    lake: Lake,
    folder: Path,
    units: Sequence[tuple[str, str, Any]],
) -> dict[str, str]:
    """Return what has been written to a destination; mark a new one as ours before the first file is put there.

    Raises:
        WarehouseError: it has no such mark, and holds files under the names of ours.
    """
    known = destination.read_known_units(_LIST.format(form))
    if known is not None or not units:
        return known or {}
    names = {
        "csv": lambda: [f"{view}.csv" for view in views],
        "xlsx": lambda: [_WORKBOOK],
        "security-lake": lambda: [f"ext/{lake.source}"],
        "jsonl": lambda: [f"{unit}/{_JSONL}" for unit, _, _ in units],
        "parquet": lambda: [f"{unit}/{_PARQUET_FILE}" for unit, _, _ in units],
    }
    for name in names[form]():
        if destination.has(name):
            what = f"{name} is there already in {destination.label}, and is not known to be an export."
            raise WarehouseError(what, "export-foreign")
    _put_list(destination, form, {}, folder)
    return {}


def _put_list(destination: Destination, form: str, known: dict[str, str], folder: Path) -> None:
    with _part(folder, "list") as made:
        new = made / "list.json"
        new.write_text(json.dumps(known, indent=1), encoding="utf-8")
        destination.put(new, _LIST.format(form))


@contextmanager
def _part(folder: Path, name: str) -> Iterator[Path]:
    """Make a folder in the private one, which goes with all in it when the block ends."""
    made = folder / name
    made.mkdir(mode=0o700)
    try:
        yield made
    finally:
        shutil.rmtree(made)


def _units(connection: duckdb.DuckDBPyConnection, form: str, views: Sequence[str]) -> Iterator[tuple[str, str, Any]]:
    """Yield each unit's name, what its content is recognized by, and its day. Of `views`, empty stands for all."""
    days = connection.execute(load_sql("exports/list_days")).fetchall()
    if form in OF_VIEWS:
        if days:
            yield "views", "-".join([days[-1][1], *views]), None
        return
    for day, fingerprint in days:
        yield f"day={day}", fingerprint, day


def _jsonl(connection: duckdb.DuckDBPyConnection, folder: Path, unit: str, _: Lake) -> int:
    rows = 0
    findings = load_sql("exports/select_findings").rstrip().rstrip(";")
    cursor = connection.execute(f"select to_json(findings) from ({findings}) as findings")  # noqa: S608 - our own file
    with _prepare_file(folder / unit / _JSONL).open("w", encoding="utf-8") as file:
        while some := cursor.fetchmany(_ROWS):
            file.writelines(f"{json.dumps(build_event(row), ensure_ascii=False)}\n" for (row,) in some)
            rows += len(some)
    return rows


def _parquet(connection: duckdb.DuckDBPyConnection, folder: Path, unit: str, _: Lake) -> int:
    return _copy(
        connection, load_sql("exports/select_findings"), _prepare_file(folder / unit / _PARQUET_FILE), _PARQUET
    )


def _security_lake(connection: duckdb.DuckDBPyConnection, folder: Path, unit: str, lake: Lake) -> int:
    del unit  # the layout has the day in a column of its own
    source = folder / "ext" / lake.source
    source.mkdir(parents=True)
    how = f'{_PARQUET}, partition_by (region, "accountId", "eventDay"), filename_pattern \'findings_{{i}}\''
    return _copy(connection, load_sql("ocsf/security_lake"), source, how, region=lake.region)


def _csv(connection: duckdb.DuckDBPyConnection, folder: Path, views: Sequence[str]) -> tuple[int, list[str]]:
    rows = 0
    for view in views:
        columns, batches = _rows_of(connection, view)
        # With a byte order mark: without it a spreadsheet takes UTF-8 for the machine's old encoding.
        with (folder / f"{view}.csv").open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv_writer(file)
            writer.writerow(columns)
            for some in batches:
                writer.writerows([[escape_formula(cell) for cell in row] for row in some])
                rows += len(some)
    return rows, []


def _xlsx(connection: duckdb.DuckDBPyConnection, folder: Path, views: Sequence[str]) -> tuple[int, list[str]]:
    from secscore_pipeline.exports.workbook import write_workbook  # only this form needs its library

    with _part(folder.parent, "sheets") as temporary:
        sheets = ((view, *_rows_of(connection, view)) for view in views)
        return write_workbook(folder / _WORKBOOK, sheets, temporary)


def _rows_of(connection: duckdb.DuckDBPyConnection, view: str) -> tuple[list[str], Iterator[list[tuple[Any, ...]]]]:
    """Return the columns of a view, and its rows, some at a time: all of them before another view is read."""
    cursor = connection.execute(f'from posture."{view}"')
    return [column[0] for column in cursor.description or []], iter(lambda: cursor.fetchmany(_ROWS), [])


def list_views(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the names of the views in the schema posture."""
    rows = connection.execute(
        "select view_name from duckdb_views() where database_name = current_database() and schema_name = 'posture' "
        "and not internal order by all"
    ).fetchall()
    return [name for (name,) in rows]


OF_VIEWS = ("csv", "xlsx")
"""The formats that hold views; the others hold findings."""

_VIEW_WRITERS = {"csv": _csv, "xlsx": _xlsx}
_WRITERS: dict[str, Callable[[duckdb.DuckDBPyConnection, Path, str, Lake], int]] = {
    "jsonl": _jsonl,
    "parquet": _parquet,
    "security-lake": _security_lake,
}


def _copy(connection: duckdb.DuckDBPyConnection, query: str, to: Path, how: str, **values: object) -> int:
    text = f"copy ({query.strip().rstrip(';')}) to {quote_literal(str(to))} ({how})"
    row = execute(connection, text, values).fetchone()
    return int(row[0]) if row else 0


def _prepare_file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
