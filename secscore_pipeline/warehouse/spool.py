"""Keeps what a run reads in files beside the store until it is loaded."""

import hashlib
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from secscore_pipeline.warehouse.connection import scratch_folder
from secscore_pipeline.warehouse.rows import FetchRow, RecordRow

_SPOOL_BUFFER = 1 << 17

_LEAST_LINE = 1 << 16

_RECORD_FILES = 8
"""How many files the records are in; those of a subscription are in one, so that each file can be loaded by itself."""

_DIGEST_LENGTH = 32
"""How many hexadecimal digits of a text's SHA-256 are kept: 128 bits."""


class SpooledRows:
    """A file of rows, each a line of JSON, to which several threads may add at once.

    Attributes:
        path: the file.
        rows: how many were added.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self._encoder = msgspec.json.Encoder()
        # Written out seldom: each time, the threads that read would run first.
        self._file: BinaryIO = path.open("wb", buffering=_SPOOL_BUFFER)
        self._lock = threading.Lock()
        self._longest_line = 0

    @property
    def line_bytes(self) -> int:
        """How long a line may be, for who reads them: DuckDB's buffers are twice as large."""
        return max(self._longest_line + 1, _LEAST_LINE)

    def add(self, *rows: msgspec.Struct) -> None:
        """Append rows."""
        lines = [self._encoder.encode(row) + b"\n" for row in rows]
        with self._lock:
            self.rows += len(lines)
            self._longest_line = max([self._longest_line, *map(len, lines)])
            self._file.writelines(lines)

    def close(self) -> None:
        """Write out what is buffered; the file can then be read."""
        self._file.close()


class Spool:
    """Holds what a run reads on disk, so that memory does not grow and no database is open.

    Several threads may add to it at once.
    """

    def __init__(self, folder: Path) -> None:
        self.fetches_path = folder / "fetches.jsonl"
        self._decoder = msgspec.json.Decoder(FetchRow)
        self._fetches = SpooledRows(self.fetches_path)
        self._records = [SpooledRows(folder / f"records-{number}.jsonl") for number in range(_RECORD_FILES)]

    @property
    def line_bytes(self) -> int:
        """How long a line of its files may be, for who reads them."""
        return max(one.line_bytes for one in (self._fetches, *self._records))

    def slice_records(self, most: int) -> list[list[Path]]:
        """Return the files of the records, those together that hold no more than so many, if not one of them does.

        All records of a subscription are in one slice; there is one at least, even if it holds none.
        """
        slices: list[list[Path]] = []
        room = 0
        for one in self._records:
            if not slices or one.rows > room:
                slices.append([])
                room = most
            slices[-1].append(one.path)
            room -= one.rows
        return slices

    def add_fetch(self, row: FetchRow) -> None:
        """Append one fetch of one subscription."""
        self._fetches.add(row)

    def add_records(self, subscription_id: str, page: int, records: Iterable[str], first: int = 1) -> None:
        """Append records of a page, with their digests: DuckDB would take five times as long for those.

        Args:
            subscription_id: whose list it is.
            page: the number of the page, from 1 on.
            records: their JSON texts.
            first: the position of the first of them on the page.
        """
        file = self._records[zlib.crc32(subscription_id.encode()) % _RECORD_FILES]
        file.add(*(
            RecordRow(subscription_id, page, position, record, _digest(record))
            for position, record in enumerate(records, first)
        ))  # fmt: skip

    def rewrite_fetches(self, complete: Callable[[FetchRow], FetchRow | None]) -> None:
        """Give the fetches what was not known yet when they ended. No more are added then.

        Args:
            complete: returns a fetch as it is to be stored; None where it is not to be.
        """
        self._fetches.close()
        incomplete = self.fetches_path.rename(self.fetches_path.with_name("incomplete_fetches.jsonl"))
        self._fetches = SpooledRows(self.fetches_path)
        with incomplete.open("rb") as lines:
            for row in map(self._decoder.decode, lines):
                if (completed := complete(row)) is not None:
                    self.add_fetch(completed)
        incomplete.unlink()

    def close(self) -> None:
        """Write out what is buffered; the spool can then be loaded."""
        for one in (self._fetches, *self._records):
            one.close()


@contextmanager
def spool_rows(database: Path, rows: Iterable[msgspec.Struct]) -> Iterator[SpooledRows]:
    """Keep rows in a file in a private folder beside the database, which goes when the block ends.

    A statement that held them would take many times their size in memory.

    Raises:
        WarehouseError: the file cannot be written.
    """
    with scratch_folder(database) as folder, closing(SpooledRows(folder / "rows.jsonl")) as spooled:
        for row in rows:
            spooled.add(row)
        spooled.close()
        yield spooled


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]


@contextmanager
def open_spool(database: Path) -> Iterator[Spool]:
    """Make a spool in a private folder beside the database, which goes when the block ends.

    Raises:
        WarehouseError: the spool cannot be written.
    """
    with scratch_folder(database) as folder, closing(Spool(folder)) as spool:
        yield spool
