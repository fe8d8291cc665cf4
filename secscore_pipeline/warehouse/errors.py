"""What can be wrong with a store: DuckDB's errors as failures that the catalogue explains."""

import re
from pathlib import Path

import duckdb

from secscore_pipeline.errors import FailureError


class WarehouseError(FailureError):
    """The DuckDB file cannot be used: the message says why and what to do."""


_SENTENCES = {
    "database-held": "IO Error: Could not set lock on file ",
    "database-foreign": 'IO Error: The file ".*" exists, but it is not a valid DuckDB database file',
    "database-newer": "IO Error: Trying to read a database file with version number "
    '|Invalid Input Error: Error opening ".*": file was written with a storage version greater ',
    "database-damaged": "IO Error: (Corrupt database file: |Could not read enough bytes from file )"
    "|Serialization Error: "
    r"|.*Corrupt database file: computed checksum \d+ does not match stored checksum \d+ in block at location \d+",
}
"""How DuckDB's messages of what is wrong with a file begin. Its exceptions have one type for most, and no number."""


def failure_of(error: duckdb.Error) -> str:
    """Return the failure in the catalogue that an error of DuckDB's means."""
    matches = (name for name, sentence in _SENTENCES.items() if re.match(sentence, str(error), re.DOTALL))
    return next(matches, "database-unwritable")


def make_damage_error(path: Path, error: Exception | None = None) -> WarehouseError:
    """Return the error that a file is damaged, with what to do; `error` is what DuckDB said of it."""
    said = f" ({first_line(error)})" if error else ""
    what = f"{path} is damaged: the disk does not give back what was written{said}."
    return WarehouseError(what, "database-damaged", file=path)


def make_open_error(path: Path, error: duckdb.Error) -> WarehouseError:
    """Return the error that a file cannot be opened, with the failure that DuckDB's error means."""
    failure = failure_of(error)
    if failure == "database-damaged":
        return make_damage_error(path, error)
    if failure == "database-foreign":
        return WarehouseError(f"{path} is no DuckDB file; it was left untouched.", failure)
    if failure == "database-newer":
        return WarehouseError(
            f"{path} was written by another line of DuckDB than {duckdb.__version__}; it was left untouched "
            f"({first_line(error)}).",
            failure,
        )
    return WarehouseError(f"{path} cannot be opened: {first_line(error)}.", failure)


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, without its period: part of a sentence of ours."""
    return str(error).splitlines()[0].rstrip(".")
