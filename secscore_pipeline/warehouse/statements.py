"""Runs files of SQL on a connection, and returns rows by the names of their columns."""

from collections.abc import Mapping, Sequence
from datetime import datetime
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
    return fetch_rows(execute(connection, query, parameters or {}))


def fetch_rows(cursor: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return the rows of a result by column name, times as aware datetimes."""
    columns = [column[0] for column in cursor.description or []]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def execute_with_literals(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, datetime | Sequence[str]]
) -> duckdb.DuckDBPyConnection:
    """Execute one query, its parameters written as literals; return its result.

    For what has to begin at once: DuckDB's client imports pandas, 0.5 s and 60 MB, to convert the first value of Python
    that it is given, whatever it is.

    Args:
        connection: open for reading.
        query: one statement, with a parameter `$name` for each of them.
        parameters: by name: moments with their time zone, and lists of texts.
    """
    literals = ", ".join(f"{name} := {_format_literal(value)}" for name, value in parameters.items())
    connection.execute(f"prepare query_with_literals as {query}")
    return connection.execute(f"execute query_with_literals({literals})")


def _format_literal(value: datetime | Sequence[str]) -> str:
    if isinstance(value, datetime):
        return f"timestamptz '{value.isoformat()}'"
    return f"[{', '.join(map(quote_literal, value))}]"


def has_rows(connection: duckdb.DuckDBPyConnection, name: str, parameters: Mapping[str, object] | None = None) -> bool:
    """Return whether a file of SQL that counts rows, by its name for `load_sql`, finds any."""
    return execute(connection, load_sql(name), parameters or {}).fetchone() != (0,)


def quote_literal(text: str) -> str:
    """Return a text as a literal of SQL, for where DuckDB takes no parameters."""
    return "'" + text.replace("'", "''") + "'"
