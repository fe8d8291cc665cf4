"""Opens the DuckDB file: owner-only, migrated, always closed, and with a clear word when it cannot be opened."""

import logging
import os
import random
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import duckdb

from secscore_pipeline.system import scratch
from secscore_pipeline.system.scratch import open_folder
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.system.stopping import calls_on_stop
from secscore_pipeline.text import show_path
from secscore_pipeline.warehouse.blocks import is_whole
from secscore_pipeline.warehouse.errors import (
    WarehouseError,
    failure_of,
    first_line,
    make_damage_error,
    make_open_error,
)
from secscore_pipeline.warehouse.memory import FRUGAL_MEMORY
from secscore_pipeline.warehouse.schema import bring_up_to_date, schema_is_current
from secscore_pipeline.warehouse.statements import format_literal

log = logging.getLogger(__name__)

LOCK_PATIENCE = 60.0
"""Seconds to wait for a file that another process holds open."""


@contextmanager
def open_for_writing(
    path: Path, lock_patience: float = LOCK_PATIENCE, reachable: Iterable[Path] = ()
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the file for writing, made and migrated when needed, readable by its owner only.

    Args:
        path: the DuckDB file.
        lock_patience: seconds to wait for another process to close it.
        reachable: the files and folders that SQL may reach beside those in the file's own folder.

    Raises:
        WarehouseError: it is locked by another process, is no DuckDB file, or is of a newer version.
    """
    make_folder(path.parent, "SECSCORE_DATABASE or SECSCORE_WORK_DATABASE")
    if not holds_something(path):
        _make(path.resolve(), lock_patience)
    reachable = list(reachable)
    with _open(path, read_only=False, lock_patience=lock_patience, reachable=reachable) as connection:
        is_current = schema_is_current(connection, str(path))
        if is_current:
            yield connection
        else:
            _upgrade(connection, path.resolve(), lock_patience)
    if not is_current:
        with _open(path, read_only=False, lock_patience=lock_patience, reachable=reachable) as connection:
            yield connection


@contextmanager
def open_for_reading(
    path: Path, lock_patience: float = LOCK_PATIENCE, reachable: Iterable[Path] = (), *, may_spill: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the file for reading only. Whatever SQL runs on it, its own views included, reaches no other file.

    Args:
        path: the DuckDB file.
        lock_patience: seconds to wait for another process to close it.
        reachable: the files and folders that SQL may reach beside it.
        may_spill: whether what has no room in memory is kept in a private folder beside it, as a writer's is.

    Raises:
        WarehouseError: there is no such file, or it cannot be opened.
    """
    if not (path.is_dir() or holds_something(path)):
        raise WarehouseError(f"There is no database at {show_path(path)} yet.", "database-absent")
    with _open(
        path, read_only=True, lock_patience=lock_patience, reachable=reachable, may_spill=may_spill
    ) as connection:
        yield connection


def holds_something(path: Path) -> bool:
    """Return whether there is a file of some length: an empty one holds nothing that could be lost."""
    return path.exists() and path.stat().st_size > 0


def restrict_access(connection: duckdb.DuckDBPyConnection, reachable: Iterable[str]) -> None:
    """Keep the SQL of a DuckDB instance, its views and macros included, from every file, host and variable of Python.

    What is attached already stays usable. It cannot be undone: the configuration is locked, but for what changes
    nothing outside (the time zone, the memory limit).

    Args:
        connection: to the instance, with everything attached that it needs.
        reachable: the files, and the folders or URL prefixes (ending with /), that stay reachable.
    """
    if _is_restricted(connection):
        return
    reachable = list(reachable)
    for statement in (
        f"set allowed_directories = {format_literal([one for one in reachable if one.endswith('/')])}",
        f"set allowed_paths = {format_literal([one for one in reachable if not one.endswith('/')])}",
        "set allowed_configs = ['TimeZone', 'memory_limit']",
        "set python_enable_replacements = false",
        "set autoload_known_extensions = false",
        "set autoinstall_known_extensions = false",
        "set enable_external_access = false",
        "set lock_configuration = true",
    ):
        connection.execute(statement)


def _is_restricted(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether another connection to the same file, in this process, has locked its configuration."""
    return connection.execute("select current_setting('lock_configuration')").fetchone() == (True,)


def prefixes_of(paths: Iterable[Path]) -> list[str]:
    """Return files and folders as `restrict_access` takes them: absolute, of a link also what it leads to."""
    found = (version for path in paths for version in (path.absolute(), path.resolve()))
    return list(dict.fromkeys(f"{path}/" if path.is_dir() else str(path) for path in found))


def make_folder(folder: Path, setting: str = "SECSCORE_DATABASE") -> None:
    """Make the folder of a database, for its owner alone, where it is not there.

    Args:
        folder: the folder.
        setting: what names it.

    Raises:
        WarehouseError: it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        what = f"{folder} cannot be made ({error.strerror})."
        raise WarehouseError(what, "folder-unusable", setting=setting) from error


@contextmanager
def scratch_folder(database: Path) -> Iterator[Path]:
    """Make a private folder beside the database, which goes when the block ends: `scratch.scratch_folder`, which see.

    Raises:
        WarehouseError: something could not be written there.
    """
    try:
        with scratch.scratch_folder(database) as folder:
            yield folder
    except OSError as error:
        raise WarehouseError(
            f"Nothing can be written beside {database} ({error.strerror or error}).", "database-unwritable"
        ) from error


def _make(path: Path, lock_patience: float) -> None:
    """Make a new file elsewhere and put it in its place whole: a kill in the middle leaves no torn one."""
    with scratch_folder(path) as folder:
        new = folder / path.name
        with _open(new, read_only=False, lock_patience=lock_patience) as connection:
            bring_up_to_date(connection)
        if path.exists() and not holds_something(path):
            path.unlink(missing_ok=True)
        with suppress(FileExistsError):  # another process was quicker, and its file is as good
            os.link(new, path)


def replace_proven(new: Path, path: Path) -> None:
    """Replace a database by a new one that is proven whole: as `put_in_place`, which see.

    Raises:
        WarehouseError: the disk does not give back what was written to the new file; the old one stays.
    """
    if not is_whole(new):
        raise make_damage_error(new)
    put_in_place(new, path)


def put_in_place(new: Path, path: Path, mode: int = 0o600) -> int:
    """Replace a file in one step that outlasts a power failure; return its size in bytes.

    Args:
        new: a closed database in a folder of the same file system.
        path: what it replaces, as `Path.resolve` gives it: a link stays one.
        mode: its permissions.
    """
    new.chmod(0o600)
    with new.open("rb+") as file:
        os.fsync(file.fileno())
    new.chmod(mode)
    size = new.stat().st_size
    new.replace(path)
    with open_folder(path.parent) as handle:
        os.fsync(handle)
    return size


@contextmanager
def _open(
    path: Path, *, read_only: bool, lock_patience: float, reachable: Iterable[Path] = (), may_spill: bool = True
) -> Iterator[duckdb.DuckDBPyConnection]:
    with ExitStack() as stack:
        spilled = _enter_spill_folder(stack, path) if may_spill else None
        # DuckDB makes the file and its WAL with the process's mask: for as long as it may, only the owner's bits.
        stack.callback(os.umask, os.umask(0o077))
        connection = _connect(path, read_only=read_only, lock_patience=lock_patience)
        try:
            connection.execute("set timezone = 'UTC'")
            if spilled and not _is_restricted(connection):
                connection.execute(f"set temp_directory = {format_literal(str(spilled))}")
            # A store may come from anywhere, and its views run when it is read: a writer needs its scratch folder.
            beside = [] if read_only else [path.parent, path.resolve().parent]
            restrict_access(connection, prefixes_of([*beside, *reachable]))
            with calls_on_stop(connection.interrupt):
                yield connection
            if not read_only:  # closing it writes what was stored into the file, and would take all memory there is
                with suppress(duckdb.OutOfMemoryException):
                    connection.execute(f"set memory_limit = '{FRUGAL_MEMORY}B'")
        except duckdb.PermissionException as error:
            what = f"{path} reaches for something outside ({first_line(error)})."
            raise WarehouseError(what, "database-reaches-out") from error
        except (
            duckdb.IOException, duckdb.FatalException, duckdb.TransactionException, duckdb.SerializationException
        ) as error:  # fmt: skip
            if failure_of(error) == "database-damaged":
                raise make_damage_error(path, error) from error
            raise WarehouseError(
                f"{path} could not be written or read ({first_line(error)}). What was begun was taken back.",
                "database-unwritable",
            ) from error
        finally:
            connection.close()


def _enter_spill_folder(stack: ExitStack, path: Path) -> Path | None:
    """Return a private folder beside a file for what has no room in memory, or None where nothing can be written.

    DuckDB's own is the same for all processes: two that read the file would write into each other's.
    """
    with suppress(OSError):  # what comes of it, opening the file tells
        return stack.enter_context(scratch.scratch_folder(path))
    return None


_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "storage_compatibility_version": "v1.5.0",
    "preserve_insertion_order": "false",
    "allocator_bulk_deallocation_flush_threshold": "1MB",  # give memory back at once
    "threads": "1",  # as fast for what a run adds, with a third less memory
}


def _connect(path: Path, *, read_only: bool, lock_patience: float) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + lock_patience
    pause = 0.05
    while True:
        before = _identity(path)
        try:
            connection = duckdb.connect(str(path), read_only=read_only, config=_CONFIG)
            if before in (None, _identity(path)):
                return connection
            connection.close()  # the file was replaced by a compacted one just now: what was opened is gone
            continue
        except duckdb.Error as error:
            if failure_of(error) != "database-held":
                raise make_open_error(path, error) from error
            if time.monotonic() + pause > deadline:
                raise WarehouseError(_describe_lock(path, str(error), lock_patience), "database-held") from error
        time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not cryptography
        pause = min(2 * pause, 2.0)


def _identity(path: Path) -> int | None:
    return path.stat().st_ino if path.exists() else None


def _describe_lock(path: Path, text: str, lock_patience: float) -> str:
    holder = re.search(r"held in (.+?) \(PID (\d+)\)", text)
    who = f"process {holder[2]} ({holder[1]})" if holder else "another process"
    return f"{path} is held open by {who}, and still was after {lock_patience:g} s."


def _upgrade(connection: duckdb.DuckDBPyConnection, path: Path, lock_patience: float) -> None:
    """Bring a copy of the file up to date and put it in its place: a kill in the middle leaves the old one whole.

    Not in the file itself, since DuckDB 1.5 cannot replay the making of macros and views from its log.
    """
    connection.execute("checkpoint")
    with scratch_folder(path) as folder:
        copy = folder / "upgraded.duckdb"
        shutil.copyfile(path, copy)
        with _open(copy, read_only=False, lock_patience=lock_patience) as copied:
            before = _count_fetches(copied)
            bring_up_to_date(copied)
            if _count_fetches(copied) != before:
                raise AssertionError("a migration lost what was read")
        replace_proven(copy, path)


def _count_fetches(connection: duckdb.DuckDBPyConnection) -> int:
    """Return how many rows there are of what was read; 0 in a file that has no tables yet."""
    try:
        row = connection.execute(load_sql("warehouse/count_fetches")).fetchone()
    except duckdb.CatalogException:
        return 0
    return int(row[0]) if row else 0
