"""What is done with the store: a snapshot is spooled to disk while it is read, then loaded in one transaction."""

import math
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, TypeVar

import duckdb
import msgspec

from secscore_pipeline.warehouse import sql
from secscore_pipeline.warehouse.connection import scratch_folder, transaction

_Result = TypeVar("_Result")

FRUGAL_MEMORY = "300MB"
"""What DuckDB may use before it spills to disk; work that cannot spill is done again without this bound."""

LOOKS_PER_SLICE = 400
"""How many looks at subscriptions are normalized at a time: it bounds the memory, not the result."""


class FetchRow(msgspec.Struct, frozen=True):
    """One row of `raw.fetches`; its columns' comments say what each means."""

    snapshot_id: str
    tenant_id: str
    subscription_id: str
    event_type: str
    started_at: datetime
    finished_at: datetime
    outcome: str
    http_status: int | None
    error_code: str | None
    error: str | None
    pages: int
    records: int
    request_ids: tuple[str, ...]
    arm_endpoint: str
    cloud_partition: str


class RecordRow(msgspec.Struct, frozen=True):
    """One raw record: where and when it was read, and its JSON text as received."""

    snapshot_id: str
    tenant_id: str
    subscription_id: str
    observed_at: datetime
    page: int
    position: int
    request_id: str | None
    record: str


class Spool:
    """Holds a snapshot on disk while it is being read, so that memory does not grow and no database is open."""

    def __init__(self, folder: Path) -> None:
        self.fetches_path = folder / "fetches.jsonl"
        self.records_path = folder / "records.jsonl"
        self._encoder = msgspec.json.Encoder()
        self._fetches: BinaryIO = self.fetches_path.open("wb")
        self._records: BinaryIO = self.records_path.open("wb")
        self.longest_line = 0

    def add_fetch(self, row: FetchRow) -> None:
        """Append one look at one subscription."""
        self._write(self._fetches, row)

    def add_record(self, row: RecordRow) -> None:
        """Append one record."""
        self._write(self._records, row)

    def close(self) -> None:
        """Write out what is buffered; the spool can then be loaded."""
        self._fetches.close()
        self._records.close()

    def _write(self, file: BinaryIO, row: msgspec.Struct) -> None:
        line = self._encoder.encode(row) + b"\n"
        self.longest_line = max(self.longest_line, len(line))
        file.write(line)


@contextmanager
def spooled(database: Path) -> Iterator[Spool]:
    """Make a spool in a private folder beside the database, which goes when the block ends.

    Raises:
        WarehouseError: the spool cannot be written.
    """
    with scratch_folder(database) as folder, closing(Spool(folder)) as spool:
        yield spool


def load_snapshot(connection: duckdb.DuckDBPyConnection, spool: Spool, event_type: str, stored_at: datetime) -> None:
    """Load a whole snapshot in one transaction: every look and every record of it, or nothing.

    Time does not run backwards in the store: what was read by a clock that has been set back since the snapshot
    before counts as observed a millisecond after that one.

    Args:
        connection: open for writing.
        spool: closed, with the snapshot.
        event_type: the name of the raw table the records belong to, one of our own constants.
        stored_at: the present, UTC.
    """
    values: dict[str, object] = {"line_bytes": max(spool.longest_line + 1, 1 << 16)}

    def load() -> None:
        with transaction(connection):
            newest = connection.execute(sql("newest_observation"), {"event_type": event_type}).fetchone()
            values["not_before"] = newest[0] if newest else None
            connection.execute(sql("load_fetches"), {**values, "file": str(spool.fetches_path), "stored_at": stored_at})
            connection.execute(sql(f"load_{event_type}"), {**values, "file": str(spool.records_path)})

    _frugally(connection, load)


def normalize(connection: duckdb.DuckDBPyConnection, statements: list[tuple[str, dict[str, object]]]) -> int:
    """Add what is in the raw tables and not in the findings yet, in one transaction.

    Args:
        connection: open for writing.
        statements: the mapping's SQL with its parameters, in order; the first makes the temporary
            table `observations` of the subscriptions in one of `$slices` slices.

    Returns:
        How many findings were added.
    """
    observe, *mapping = statements

    def add() -> int:
        added = 0
        with transaction(connection):
            looks = connection.execute(sql("pending_looks")).fetchone()
            slices = math.ceil((looks[0] if looks else 0) / LOOKS_PER_SLICE)
            for number in range(slices):
                _execute(connection, observe[0], {**observe[1], "slice": number, "slices": slices})
                for text, parameters in mapping:
                    _execute(connection, text, parameters)
                connection.execute(sql("note_rejected"))
                valid = connection.execute("select count(*) from observations where rejection is null").fetchone()
                added += int(valid[0]) if valid else 0
                connection.execute("drop table observations")
            connection.execute(sql("note_normalized"))
        return added

    return _frugally(connection, add)


def forget_findings(connection: duckdb.DuckDBPyConnection) -> None:
    """Empty everything that is derived from the raw tables, so that `normalize` rebuilds it."""
    with transaction(connection):
        for table in (
            "ocsf.assessment_findings",
            "ocsf.finding_state",
            "ocsf.normalized_snapshots",
            "raw.rejected",
        ):
            connection.execute(f"delete from {table}")  # noqa: S608 - the four names above


def _frugally(connection: duckdb.DuckDBPyConnection, work: Callable[[], _Result]) -> _Result:
    """Do the work in little memory, and once more with all that the machine has where that was too little."""
    before = connection.execute("select current_setting('memory_limit')").fetchone()
    # Set, not reset: DuckDB 1.5's RESET changes the setting and leaves its buffer pool as it was.
    lift = f"set memory_limit = '{before[0] if before else FRUGAL_MEMORY}'"
    connection.execute(f"set memory_limit = '{FRUGAL_MEMORY}'")
    try:
        return work()
    except duckdb.OutOfMemoryException:
        connection.execute(lift)
        return work()
    finally:
        connection.execute(lift)


def _execute(connection: duckdb.DuckDBPyConnection, text: str, parameters: dict[str, object]) -> None:
    """Execute a file of statements; the parameters go to the last one, the others are definitions."""
    *definitions, last = duckdb.extract_statements(text)
    for definition in definitions:
        connection.execute(definition)
    connection.execute(last, parameters)
