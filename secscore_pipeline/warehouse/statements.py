"""Runs files of SQL on a connection, and returns rows by the names of their columns."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any

import duckdb

from secscore_pipeline.system.sql_files import load_sql


def execute(
    connection: duckdb.DuckDBPyConnection, text: str, parameters: Mapping[str, object]
) -> duckdb.DuckDBPyConnection:
    """Execute a file of statements, each with those of the parameters that it names; return the last one's result.

    The values are written into the statements as literals: DuckDB's client imports pandas, 0.5 s and 80 MB, to convert
    the first value of Python that it is given, whatever it is.

    Args:
        connection: open for what the statements do.
        text: statements, with a parameter `$name` where a value goes.
        parameters: by name: texts, numbers, moments, days, bytes, truth values, lists of them, and None.

    Raises:
        TypeError: a value is of another type.
        duckdb.Error: what went wrong with a statement; those before it are done.
    """
    for statement in duckdb.extract_statements(text):
        if statement.named_parameters:
            connection.execute(write_values(statement.query, parameters))
        else:
            connection.execute(statement)
    return connection


def write_values(query: str, parameters: Mapping[str, object]) -> str:
    """Return a statement with a literal in the place of each parameter; see `execute`."""
    encoded = query.encode()
    written, position = [], 0
    for start, end in _find_parameters(query):
        name = encoded[start + 1 : end].decode()
        written += [encoded[position:start].decode(), format_literal(parameters[name])]
        position = end
    return "".join([*written, encoded[position:].decode()])


@lru_cache
def _find_parameters(query: str) -> tuple[tuple[int, int], ...]:
    """Return where the parameters of a statement begin and end, in bytes: by DuckDB's own tokens, so in no text."""
    encoded = query.encode()
    found = []
    for (start, _), (name, _) in pairwise(duckdb.tokenize(query)):
        if encoded[start:name] == b"$":
            found.append((start, name + len(re.match(rb"\w+", encoded[name:])[0])))  # type: ignore[index]
    return tuple(found)


def format_literal(value: object) -> str:
    """Return a value as a literal of SQL that stands for itself wherever it is put.

    >>> format_literal(["it's", None, 1, 0.5])
    "['it''s', null, (1), cast('0.5' as double)]"
    """
    match value:
        case None | bool():
            return "null" if value is None else str(value).lower()
        case int():
            return f"({int(value)})"
        case float():
            return f"cast('{value!r}' as double)"
        case str():
            # The end of a text to what reads SQL, which is written in C.
            return f"decode({format_literal(value.encode())})" if "\0" in value else quote_literal(value)
        case bytes():
            return f"from_hex('{value.hex()}')"
        case datetime():
            return f"cast('{value.isoformat()}' as {'timestamp' if value.tzinfo is None else 'timestamptz'})"
        case date():
            return f"cast('{value.isoformat()}' as date)"
        case list() | tuple():
            return f"[{', '.join(map(format_literal, value))}]"
    raise TypeError(f"There is no literal for a {type(value).__name__}.")


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
