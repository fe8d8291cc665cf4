"""Moves what a DuckDB file holds into a lake: table by table, each whole or not at all, each compared afterwards."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import duckdb

from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.connection import open_for_reading
from secscore_pipeline.warehouse.errors import WarehouseError
from secscore_pipeline.warehouse.lake import Lake, is_unfinished
from secscore_pipeline.warehouse.schema import schema_is_current
from secscore_pipeline.warehouse.statements import quote_literal
from secscore_pipeline.warehouse.transactions import retry_on_clash, transaction


def move(source: Path, lake: Lake, report: Callable[[str], object]) -> dict[str, int]:
    """Copy every row of a file into a lake, and compare both. What was cut short is continued.

    Until all is there, the lake is refused to runs: a part of a past would be taken for the whole.

    Args:
        source: the DuckDB file; nobody writes it meanwhile.
        lake: empty, or left by a move of the same file that was cut short.
        report: is called with a sentence for each table.

    Returns:
        How many rows each table has, by `schema.table`.

    Raises:
        WarehouseError: the file is of an older version, or the lake holds something else.
    """
    with open_for_reading(source) as connection:
        if not schema_is_current(connection, str(source)):
            raise WarehouseError(f"{source} is of an older version.", "database-older")
    with lake.open_for_writing(is_moving=True) as connection:
        connection.execute(f"attach {quote_literal(str(source))} as moved (read_only)")
        try:
            tables = [name for (name,) in connection.execute(load_sql("warehouse/list_moved_tables")).fetchall()]
            if not is_unfinished(connection):
                retry_on_clash(partial(_begin, connection, lake, tables))
            moved = {}
            for table in tables:
                moved[table] = retry_on_clash(partial(_move, connection, lake, table))
                report(f"{table}: {moved[table]:,} rows, the same in both")
            retry_on_clash(partial(_end, connection))
        finally:
            connection.execute("detach moved")
    return moved


def _begin(connection: duckdb.DuckDBPyConnection, lake: Lake, tables: Sequence[str]) -> None:
    """Mark a lake as one that a file is moved into; one that holds something else is left as it is."""
    with transaction(connection):
        for table in tables:
            if _count(connection, table):
                _compare(connection, lake, table)
        connection.execute("create table meta.moving (is_unfinished boolean)")


def _end(connection: duckdb.DuckDBPyConnection) -> None:
    with transaction(connection):
        connection.execute("drop table meta.moving")


def _move(connection: duckdb.DuckDBPyConnection, lake: Lake, table: str) -> int:
    """Copy one table where it is not there yet, compare it, and return its number of rows."""
    with transaction(connection):
        if not _count(connection, table):
            connection.execute(f"insert into {table} by name from moved.{table}")
        return _compare(connection, lake, table)


def _compare(connection: duckdb.DuckDBPyConnection, lake: Lake, table: str) -> int:
    """Return how many rows a table has in both.

    Raises:
        WarehouseError: the lake's are others than the file's.
    """
    rows, moved = (_count(connection, name) for name in (f"moved.{table}", table))
    columns = ", ".join(f'"{name}"' for name in connection.table(f"moved.{table}").columns)
    differing = f"(select {columns} from moved.{table} except all select {columns} from {table})"  # noqa: S608
    if moved != rows or _count(connection, differing):
        raise WarehouseError(f"{table} of {lake.label} holds other rows than the file.", "lake-not-empty")
    return rows


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    row = connection.execute(f"select count(*) from {relation}").fetchone()  # noqa: S608 - our own names
    return int(row[0]) if row else 0
