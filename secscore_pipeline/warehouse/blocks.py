"""Proves a closed DuckDB file by its own checksums, at the speed of a copy: every block of it, not only what is read.

The layout is DuckDB's (`src/storage/single_file_block_manager.cpp`, `src/common/checksum.cpp`): three headers of 4 kB,
then blocks of one size. Each begins with the checksum of the rest of it.
"""

import struct
from pathlib import Path
from typing import BinaryIO

import duckdb

from secscore_pipeline.system.sql_files import load_sql

_HEADER = 4096
_HEADERS = 3
_FIELDS = struct.Struct("<8Q")
"""A database header: checksum, iteration, two places, the number of blocks, the size of one, and two versions."""

_PRIME = 0xBF58476D1CE4E5B9
_SEED = 5381
_SANE_BLOCK = range(1 << 12, 1 << 24)
_METADATA_BLOCK = "select max(block_id) as block_id from pragma_metadata_info()"
_TABLE_BLOCK = "select max(greatest(block_id, list_max(additional_block_ids))) from pragma_storage_info('{table}')"
"""DuckDB's table function takes the name of a table as a constant."""


def is_whole(path: Path) -> bool:
    """Return whether every block that a file can use is there and agrees with its checksum.

    A block that nothing uses may fail too, where a process was killed while it wrote it. So False means that the file
    is not proven; DuckDB, reading every row, has the last word.

    Args:
        path: a DuckDB file that nobody has open for writing, without a log.
    """
    counts = _count_blocks(path)
    if counts is None:
        return False
    expected, found = counts
    try:
        return found >= expected or _last_used_block(path) < found
    except duckdb.Error:  # a block of the catalog is among those that are not there
        return False


def blocks_agree(path: Path) -> bool:
    """Return whether every block that is there agrees with its checksum: as `is_whole`, but for what is cut off."""
    return _count_blocks(path) is not None


def _count_blocks(path: Path) -> tuple[int, int] | None:
    """Return how many blocks a file says that it has, and how many there are; None where a checksum does not agree.

    DuckDB does not write free blocks at the end, so there may be fewer.
    """
    with path.open("rb") as file:
        headers = [file.read(_HEADER) for _ in range(_HEADERS)]
        if not all(map(_agrees, headers)):
            return None
        newest = max((_FIELDS.unpack_from(header) for header in headers[1:]), key=lambda fields: fields[1])
        expected, size = newest[4], newest[5]
        if size not in _SANE_BLOCK:
            return None
        found = _count_whole_blocks(file, size)
    return None if found is None else (expected, found)


def _count_whole_blocks(file: BinaryIO, size: int) -> int | None:
    """Return how many blocks follow; None where one fails. What is left of a last one is no block."""
    count = 0
    while len(block := file.read(size)) == size:
        if not _agrees(block):
            return None
        count += 1
    return count


def _agrees(block: bytes) -> bool:
    """Return whether a block is what its checksum says."""
    import numpy as np  # a tenth of a second, for who publishes

    if len(block) < _HEADER:
        return False
    words = np.frombuffer(block, dtype="<u8")
    checksum = int(np.bitwise_xor.reduce(words[1:] * np.uint64(_PRIME))) ^ _SEED
    return checksum == int(words[0])


def _last_used_block(path: Path) -> int:
    """Return the number of the last block that a table or the catalog uses."""
    with duckdb.connect(str(path), read_only=True) as connection:
        used = [_METADATA_BLOCK]
        for (table,) in connection.execute(load_sql("warehouse/list_tables")).fetchall():
            used.append(_TABLE_BLOCK.format(table=table.replace("'", "''")))
        row = connection.execute(f"select max(block_id) from ({' union all '.join(used)})").fetchone()  # noqa: S608
    return -1 if row is None or row[0] is None else int(row[0])
