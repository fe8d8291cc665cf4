"""Runs files of SQL on a connection, and returns rows by the names of their columns."""

from collections.abc import Mapping
from typing import Any

import duckdb

from secscore_pipeline.system.sql_files import load_sql


def execute(
    connection: duckdb.DuckDBPyConnection, text: str, parameters: Mapping[str, object]
) -> duckdb.DuckDBPyConnection:
    """Execute a file of statements, each with those of the parameters that it names; return the last one's result."""
    for statement in duckdb.extract_statements(text):
        connection.execute(statement, {name: parameters[name] for name in statement.named_parameters})
    return connection


def select_rows(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, object] | None = None
) -> list[dict[str, Any]]:
    """Return a query's rows by column name, times as aware datetimes; it takes those of the parameters it names."""
    cursor = execute(connection, query, parameters or {})
    columns = [column[0] for column in cursor.description or []]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def has_rows(connection: duckdb.DuckDBPyConnection, name: str, parameters: Mapping[str, object] | None = None) -> bool:
    """Return whether a file of SQL that counts rows, by its name for `load_sql`, finds any."""
    return execute(connection, load_sql(name), parameters or {}).fetchone() != (0,)


def quote_literal(text: str) -> str:
    """Return a text as a literal of SQL, for where DuckDB takes no parameters."""
    return "'" + text.replace("'", "''") + "'"
