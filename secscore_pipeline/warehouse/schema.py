"""The schema of a store: its migrations and views, whether a store has them all, and bringing it up to date."""

import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import duckdb

from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.errors import WarehouseError
from secscore_pipeline.warehouse.statements import execute, has_rows
from secscore_pipeline.warehouse.transactions import transaction


class Step(NamedTuple):
    """One numbered file of the schema: a migration, which every file has once, or views, which can be made anew."""

    number: int
    name: str
    text: str


@cache
def list_schema_steps(folder: str) -> tuple[Step, ...]:
    """Return the files of a folder of the schema (`migrations`, `views`), in order of their numbers."""
    found = [
        Step(int(file.name.split("_")[0]), file.name, file.read_text(encoding="utf-8"))
        for file in files(__package__).joinpath(folder).iterdir()
        if re.fullmatch(r"\d+_\w+\.sql", file.name)
    ]
    return tuple(sorted(found))


def make_schema(connection: duckdb.DuckDBPyConnection) -> None:
    """Make every table and view in an empty database, to inspect rather than to keep."""
    connection.execute(load_sql("warehouse/make_bookkeeping"))
    for step in list_schema_steps("migrations"):
        connection.execute(step.text)
    _make_views(connection)


def schema_is_current(connection: duckdb.DuckDBPyConnection, shown: str) -> bool:
    """Return whether a store has every migration and view.

    Args:
        connection: open for reading at least.
        shown: what the store is called in a message.

    Raises:
        WarehouseError: it is of something else, or newer than we are.
    """
    applied = applied_migrations(connection)
    if not applied:
        if has_rows(connection, "warehouse/count_tables"):
            raise WarehouseError(f"{shown} is a database of something else; it was left untouched.", "database-foreign")
        return False
    known = [step.number for step in list_schema_steps("migrations")]
    if max(applied, default=0) > known[-1]:
        raise WarehouseError(
            f"{shown} has schema version {max(applied)}, and this secscore_pipeline knows up to {known[-1]}; "
            "it was left untouched.",
            "database-newer",
        )
    if not applied.issuperset(known):
        return False
    return connection.execute("select digest from meta.views").fetchall() == [(digest_of_views(),)]


def applied_migrations(connection: duckdb.DuckDBPyConnection) -> set[int]:
    """Return the numbers of the migrations that a store has had; none where a database is no store of ours."""
    try:
        return {version for (version,) in connection.execute("select version from meta.migrations").fetchall()}
    except duckdb.CatalogException:  # there is no such table: a query first would take a lake longer than all the rest
        return set()


def digest_of_views() -> str:
    """Return the digest of the views of this version."""
    return hashlib.sha256("".join(view.text for view in list_schema_steps("views")).encode()).hexdigest()


def bring_up_to_date(connection: duckdb.DuckDBPyConnection) -> None:
    """Give a file every migration and view that it lacks, and write all of it out."""
    if not has_rows(connection, "warehouse/count_tables"):
        connection.execute(load_sql("warehouse/make_bookkeeping"))
    applied = applied_migrations(connection)
    with transaction(connection):
        for step in list_schema_steps("migrations"):
            if step.number not in applied:
                connection.execute(step.text)
                execute(
                    connection,
                    "insert into meta.migrations (version, name) values ($version, $name)",
                    {"version": step.number, "name": step.name},
                )
        _make_views(connection)
        connection.execute("delete from meta.views")
        execute(connection, "insert into meta.views (digest) values ($digest)", {"digest": digest_of_views()})
    connection.execute("checkpoint")


def _make_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Make every view anew, and comment the columns of those that pass on another's columns."""
    for view in list_schema_steps("views"):
        connection.execute(view.text)
    for (statement,) in connection.execute(load_sql("warehouse/list_inherited_comments")).fetchall():
        connection.execute(statement)
