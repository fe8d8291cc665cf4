"""The posture views as pandas DataFrames, for notebooks and scripts."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import duckdb
import pandas as pd

from secscore_pipeline.config.registry import SECSCORE_DATA_PATH, SECSCORE_DATABASE, SECSCORE_WORK_DATABASE
from secscore_pipeline.config.storage import parse_lake_settings, resolve_database_path
from secscore_pipeline.posture.query import explain_access, refuse_writing, resolve_allowed_paths
from secscore_pipeline.warehouse.connection import open_for_reading
from secscore_pipeline.warehouse.lake import Lake

_FEW = {"feed", "cloud_partition", "score", "status", "event_type", "last_outcome", "state"}
"""The columns that hold few different texts."""


class Posture:
    """The published database: each posture view is a method that returns it whole, such as `current_scores()`.

    The file is open for the time of a question only. Whole numbers are Int64 and booleans boolean, so that nothing
    becomes a float for want of a value; times are UTC; texts are strings, few different ones a category.

    Args:
        database: the DuckDB file or lake; SECSCORE_DATABASE when not given.
        allow: files and folders that questions in SQL may read beside it. They read no other file.

    Raises:
        WarehouseError: one of those is not there.
    """

    _reading: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]

    def __init__(self, database: str | Path | None = None, allow: Iterable[str | Path] = ()) -> None:
        allowed = resolve_allowed_paths(allow)
        given = str(database or SECSCORE_DATABASE.read())
        if where := parse_lake_settings(given, SECSCORE_DATA_PATH.read(), SECSCORE_WORK_DATABASE.read()):
            lake = Lake(*where)
            self.label, self._reading = lake.label, partial(lake.reading_restricted, reachable=allowed)
        else:
            path = resolve_database_path(given)
            self.label, self._reading = str(path), partial(open_for_reading, path, reachable=allowed)

    def query(self, text: str, **parameters: object) -> pd.DataFrame:
        """Return the answer to a question in SQL.

        Args:
            text: SQL, with `$name` where a value belongs.
            parameters: the values, by name.

        Raises:
            WarehouseError: there is no database, it cannot be read, or the SQL does more than read.
            duckdb.Error: the question was not understood.
        """
        with self._reading() as connection, explain_access():
            refuse_writing(connection, text)
            return _make_frame(connection.sql(text, params=parameters or None))

    def views(self) -> list[str]:
        """Return the names of the views."""
        with self._reading() as connection:
            found = connection.execute(
                "select view_name from duckdb_views() where database_name = current_database() "
                "and schema_name = 'posture' and not internal order by all"
            ).fetchall()
        return [name for (name,) in found]

    def __getattr__(self, name: str) -> "View":
        if name.startswith("_") or name not in self.views():
            raise AttributeError(f"There is no view posture.{name}; there are {', '.join(self.views())}.")
        return View(self, name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.views()]

    def __repr__(self) -> str:
        return f"Posture({self.label!r})"


class View:
    """One posture view: called, it returns the rows; its help says what a row is."""

    def __init__(self, posture: Posture, name: str) -> None:
        self._posture, self.name = posture, name

    def __call__(self, where: str = "true", **parameters: object) -> pd.DataFrame:
        """Return the rows for which a condition in SQL holds; `$name` in it takes the parameter of that name."""
        return self._posture.query(f'from posture."{self.name}" where {where}', **parameters)

    def columns(self) -> pd.DataFrame:
        """Return its columns with their types and meanings."""
        return self._posture.query(
            "select column_name, data_type, comment from duckdb_columns() "
            "where database_name = current_database() and schema_name = 'posture' and table_name = $name "
            "order by column_index",
            name=self.name,
        )


def _make_frame(relation: duckdb.DuckDBPyRelation) -> pd.DataFrame:
    kinds = {name: _kind(name, str(kind)) for name, kind in zip(relation.columns, relation.types, strict=True)}
    frame = relation.df()
    return frame.astype({name: kind for name, kind in kinds.items() if kind})


def _kind(name: str, duckdb_type: str) -> str | None:
    """Return what pandas should hold a column as; None for what it makes of it by itself."""
    if duckdb_type in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT", "UINTEGER"):
        return "Int64"
    if duckdb_type == "BOOLEAN":
        return "boolean"
    if duckdb_type == "VARCHAR":
        return "category" if name in _FEW else "string"
    return None
