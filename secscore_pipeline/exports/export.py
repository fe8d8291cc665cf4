"""Writes exports: unit by unit, what is new or has changed, so that a run that was cut short is gone on with."""

import csv
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from secscore_pipeline import ocsf
from secscore_pipeline.asking import safe
from secscore_pipeline.exports.destination import Destination
from secscore_pipeline.ocsf.validation import event
from secscore_pipeline.warehouse import sql
from secscore_pipeline.warehouse.connection import execute, quoted

_ROWS = 1_000
"""How many rows are held at a time."""

_PARQUET = "format parquet, compression zstd, row_group_size 100000"


@dataclass
class Exported:
    """What an export came to.

    Attributes:
        units: days, or for CSV the views, that were written; `unchanged`: those that were there already.
        files, rows, bytes: what was written.
    """

    units: int = 0
    unchanged: int = 0
    files: int = 0
    rows: int = 0
    bytes: int = 0


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
    *,
    everything: bool = False,
    tell: Callable[[str], object] = str,
) -> Exported:
    """Write what a destination does not have yet.

    A unit is a day of findings (UTC), or all views for CSV. What has been written stands in `_secscore/<form>.json`
    there, which is written last: a unit that is not in it is written again under the same names, so that nothing stands
    there twice, however an export ended.

    Args:
        connection: open for reading.
        form: one of settings.EXPORTS.
        destination: where to.
        lake: for `security-lake`.
        everything: write again what is there already.
        tell: is told of each unit.

    Raises:
        WarehouseError: the destination cannot be written.
    """
    listed = f"_secscore/{form}.json"
    known = {} if everything else destination.known(listed)
    done = Exported()
    try:
        for unit, fingerprint, day in _units(connection, form):
            if known.get(unit) == fingerprint:
                done.unchanged += 1
                continue
            with tempfile.TemporaryDirectory(prefix="secscore-export-") as folder:
                if day is not None:
                    execute(connection, sql("export_day"), {"day": day})
                done.rows += _WRITERS[form](connection, Path(folder), unit, lake)
                for file in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
                    destination.put(file, file.relative_to(folder).as_posix())
                    done.files += 1
                    done.bytes += file.stat().st_size
            known[unit] = fingerprint
            done.units += 1
            tell(f"{form}: {unit} written")
    finally:
        if done.units:
            with tempfile.TemporaryDirectory(prefix="secscore-export-") as folder:
                new = Path(folder) / "list.json"
                new.write_text(json.dumps(known, indent=1), encoding="utf-8")
                destination.put(new, listed)
    return done


def _units(connection: duckdb.DuckDBPyConnection, form: str) -> Iterator[tuple[str, str, Any]]:
    """Yield each unit's name, what tells its content from another, and its day."""
    days = connection.execute(sql("export_days")).fetchall()
    if form == "csv":
        if days:
            yield "views", days[-1][1], None
        return
    for day, fingerprint in days:
        yield f"day={day}", fingerprint, day


def _jsonl(connection: duckdb.DuckDBPyConnection, folder: Path, unit: str, _: Lake) -> int:
    rows = 0
    findings = sql("export_findings").rstrip().rstrip(";")
    cursor = connection.execute(f"select to_json(findings) from ({findings}) as findings")  # noqa: S608 - our own file
    with _made(folder / unit / "findings.jsonl").open("w", encoding="utf-8") as file:
        while some := cursor.fetchmany(_ROWS):
            file.writelines(f"{json.dumps(event(row), ensure_ascii=False)}\n" for (row,) in some)
            rows += len(some)
    return rows


def _parquet(connection: duckdb.DuckDBPyConnection, folder: Path, unit: str, _: Lake) -> int:
    return _copy(connection, sql("export_findings"), _made(folder / unit / "findings.parquet"), _PARQUET)


def _security_lake(connection: duckdb.DuckDBPyConnection, folder: Path, unit: str, lake: Lake) -> int:
    del unit  # the layout has the day in a column of its own
    source = folder / "ext" / lake.source
    source.mkdir(parents=True)
    how = f'{_PARQUET}, partition_by (region, "accountId", "eventDay"), filename_pattern \'findings_{{i}}\''
    return _copy(connection, ocsf.sql("security_lake"), source, how, region=lake.region)


def _csv(connection: duckdb.DuckDBPyConnection, folder: Path, unit: str, _: Lake) -> int:
    del unit  # every view is a file
    rows = 0
    views = connection.execute(
        "select view_name from duckdb_views() where database_name = current_database() and schema_name = 'posture' "
        "and not internal order by all"
    ).fetchall()
    for (view,) in views:
        cursor = connection.execute(f'from posture."{view}"')
        with (folder / f"{view}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([column[0] for column in cursor.description or []])
            while some := cursor.fetchmany(_ROWS):
                writer.writerows([[safe(cell) for cell in row] for row in some])
                rows += len(some)
    return rows


_WRITERS: dict[str, Callable[[duckdb.DuckDBPyConnection, Path, str, Lake], int]] = {
    "jsonl": _jsonl,
    "parquet": _parquet,
    "security-lake": _security_lake,
    "csv": _csv,
}


def _copy(connection: duckdb.DuckDBPyConnection, query: str, to: Path, how: str, **values: object) -> int:
    text = f"copy ({query.strip().rstrip(';')}) to {quoted(str(to))} ({how})"
    row = connection.execute(text, values or None).fetchone()
    return int(row[0]) if row else 0


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
