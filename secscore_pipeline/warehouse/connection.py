"""Opens the DuckDB file: owner-only, migrated, always closed, and with a clear word when it cannot be opened."""

import fcntl
import hashlib
import os
import random
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import duckdb

from secscore_pipeline.failures import explained
from secscore_pipeline.warehouse import sql
from secscore_pipeline.warehouse.transactions import transaction

LOCK_PATIENCE = 60.0
"""Seconds to wait for a file that another process holds open."""


class WarehouseError(Exception):
    """The DuckDB file cannot be used: the message says why and what to do.

    Args:
        what: one sentence that says what happened.
        failure: its name in the catalogue of failures, which says what to do about it.
        known: what the cure has places for.
    """

    def __init__(self, what: str, failure: str, **known: object) -> None:
        super().__init__(explained(what, failure, **known))
        self.failure = failure


class Step(NamedTuple):
    """One numbered file of the schema: a migration, which every file has once, or views, which can be made anew."""

    number: int
    name: str
    text: str


@cache
def steps(folder: str) -> tuple[Step, ...]:
    """Return the files of a folder of the schema (`migrations`, `views`), in order of their numbers."""
    found = [
        Step(int(file.name.split("_")[0]), file.name, file.read_text(encoding="utf-8"))
        for file in files(__package__).joinpath(folder).iterdir()
        if re.fullmatch(r"\d+_\w+\.sql", file.name)
    ]
    return tuple(sorted(found))


def make_schema(connection: duckdb.DuckDBPyConnection) -> None:
    """Make every table and view in an empty database, to look at rather than to keep."""
    _make_bookkeeping(connection)
    for step in steps("migrations"):
        connection.execute(step.text)
    _make_views(connection)


@contextmanager
def writing(path: Path, lock_patience: float = LOCK_PATIENCE) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the file for writing, made and migrated when needed, readable by its owner only.

    Args:
        path: the DuckDB file.
        lock_patience: seconds to wait for another process to let go of it.

    Raises:
        WarehouseError: it is held by another process, is no DuckDB file, or is of a newer version.
    """
    make_folder(path.parent)
    if not path.exists():
        _make(path, lock_patience)
    with _opened(path, read_only=False, lock_patience=lock_patience) as connection:
        is_current = schema_is_current(connection, str(path))
        if is_current:
            yield connection
        else:
            _upgrade(connection, path, lock_patience)
    if not is_current:
        with _opened(path, read_only=False, lock_patience=lock_patience) as connection:
            yield connection


@contextmanager
def reading(path: Path, lock_patience: float = LOCK_PATIENCE) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the file for reading only.

    Raises:
        WarehouseError: there is no such file, or it cannot be opened.
    """
    if not path.exists():
        raise WarehouseError(f"There is no database at {path} yet.", "database-absent")
    with _opened(path, read_only=True, lock_patience=lock_patience) as connection:
        yield connection


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
    """Make a private folder beside the database, which goes when the block ends.

    Folders that killed processes left there go first: a living one holds a lock on its own.

    Raises:
        WarehouseError: something could not be written there.
    """
    prefix = f"{database.name}.scratch-"
    try:
        for left in database.parent.glob(f"{prefix}*"):
            with _locked(left) as is_ours:
                if is_ours:
                    shutil.rmtree(left)
        with (
            tempfile.TemporaryDirectory(prefix=prefix, dir=database.parent, ignore_cleanup_errors=True) as folder,
            _locked(Path(folder)),
        ):
            yield Path(folder)
    except OSError as error:
        raise WarehouseError(
            f"Nothing can be written beside {database} ({error.strerror or error}). Nothing was stored.",
            "database-unwritable",
        ) from error


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder against other processes that ask for it by this; whoever has it is waited for."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Hold a lock on a folder; yields False where somebody else holds it. It ends with the process, however."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:  # its owner has just cleared it away
        yield False
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _make(path: Path, lock_patience: float) -> None:
    """Make a new file elsewhere and put it in its place whole: a kill in the middle leaves no torn one."""
    with scratch_folder(path) as folder:
        new = folder / path.name
        with _opened(new, read_only=False, lock_patience=lock_patience) as connection:
            _bring_up_to_date(connection)
        with suppress(FileExistsError):  # another process was quicker, and its file is as good
            os.link(new, path)


def execute(
    connection: duckdb.DuckDBPyConnection, text: str, parameters: Mapping[str, object]
) -> duckdb.DuckDBPyConnection:
    """Execute a file of statements, each with those of the parameters that it names; return the last one's result."""
    for statement in duckdb.extract_statements(text):
        connection.execute(statement, {name: parameters[name] for name in statement.named_parameters})
    return connection


@contextmanager
def _opened(path: Path, *, read_only: bool, lock_patience: float) -> Iterator[duckdb.DuckDBPyConnection]:
    # DuckDB makes the file and its WAL with the process's mask: for as long as it may, only the owner's bits.
    mask = os.umask(0o077)
    try:
        connection = _connect(path, read_only=read_only, lock_patience=lock_patience)
        try:
            connection.execute("set timezone = 'UTC'")
            connection.execute("set preserve_insertion_order = false")
            connection.execute("set allocator_bulk_deallocation_flush_threshold = '1MB'")  # give memory back at once
            connection.execute("set threads = 1")  # as fast for what a run adds, with a third less memory
            yield connection
        except (duckdb.IOException, duckdb.FatalException, duckdb.TransactionException) as error:
            raise WarehouseError(
                f"{path} could not be written or read ({str(error).splitlines()[0]}). What was begun was taken back.",
                "database-unwritable",
            ) from error
        finally:
            connection.close()
    finally:
        os.umask(mask)


def _connect(path: Path, *, read_only: bool, lock_patience: float) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + lock_patience
    pause = 0.05
    while True:
        before = _identity(path)
        try:
            connection = duckdb.connect(
                str(path), read_only=read_only, config={"storage_compatibility_version": "v1.5.0"}
            )
            if before in (None, _identity(path)):
                return connection
            connection.close()  # the file was replaced by a compacted one just now: what was opened is gone
            continue
        except duckdb.IOException as error:
            text = str(error)
            if "lock" not in text.lower():
                raise _unusable(path, text) from error
            if time.monotonic() + pause > deadline:
                raise WarehouseError(_held(path, text, lock_patience), "database-held") from error
        except duckdb.Error as error:
            raise _unusable(path, str(error)) from error
        time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not cryptography
        pause = min(2 * pause, 2.0)


def _identity(path: Path) -> int | None:
    return path.stat().st_ino if path.exists() else None


def _held(path: Path, text: str, lock_patience: float) -> str:
    holder = re.search(r"held in (.+?) \(PID (\d+)\)", text)
    who = f"process {holder[2]} ({holder[1]})" if holder else "another process"
    return f"{path} is held open by {who}, and still was after {lock_patience:g} s."


def _unusable(path: Path, text: str) -> WarehouseError:
    if "not a valid DuckDB database file" in text:
        return WarehouseError(f"{path} is no DuckDB file; it was left untouched.", "database-foreign")
    if "version" in text.lower():
        return WarehouseError(
            f"{path} was written by another line of DuckDB than {duckdb.__version__}; it was left untouched "
            f"({text.splitlines()[0]}).",
            "database-newer",
        )
    return WarehouseError(
        f"{path} cannot be opened: {text.splitlines()[0].rstrip('.')}.",
        "database-unwritable",
    )


def _make_bookkeeping(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create schema meta")
    connection.execute(
        "create table meta.migrations "
        "(version integer primary key, name varchar not null, applied_at timestamptz default now())"
    )
    connection.execute("comment on table meta.migrations is 'One row: one step of the schema that this file has had.'")


def schema_is_current(connection: duckdb.DuckDBPyConnection, shown: str) -> bool:
    """Tell whether a store has every migration and view.

    Args:
        connection: open for reading at least.
        shown: what the store is called in a message.

    Raises:
        WarehouseError: it is of something else, or newer than we are.
    """
    applied = applied_migrations(connection)
    if not applied:
        if connection.execute(sql("held_tables")).fetchone() != (0,):
            raise WarehouseError(f"{shown} is a database of something else; it was left untouched.", "database-foreign")
        return False
    known = [step.number for step in steps("migrations")]
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
    except duckdb.CatalogException:  # there is no such table: asking first would take a lake longer than all the rest
        return set()


def digest_of_views() -> str:
    """Return what tells the views of today from others."""
    return hashlib.sha256("".join(view.text for view in steps("views")).encode()).hexdigest()


def _upgrade(connection: duckdb.DuckDBPyConnection, path: Path, lock_patience: float) -> None:
    """Bring a copy of the file up to date and put it in its place: a kill in the middle leaves the old one whole.

    Not in the file itself, since DuckDB 1.5 cannot replay the making of macros and views from its log.
    """
    connection.execute("checkpoint")
    with scratch_folder(path) as folder:
        copy = folder / path.name
        shutil.copyfile(path, copy)
        with _opened(copy, read_only=False, lock_patience=lock_patience) as copied:
            _bring_up_to_date(copied)
        copy.replace(path)


def _bring_up_to_date(connection: duckdb.DuckDBPyConnection) -> None:
    """Give a file every migration and view that it lacks, and write all of it out."""
    if connection.execute(sql("held_tables")).fetchone() == (0,):
        _make_bookkeeping(connection)
    applied = applied_migrations(connection)
    with transaction(connection):
        for step in steps("migrations"):
            if step.number not in applied:
                connection.execute(step.text)
                connection.execute(
                    "insert into meta.migrations (version, name) values ($version, $name)",
                    {"version": step.number, "name": step.name},
                )
        _make_views(connection)
        connection.execute("delete from meta.views")
        connection.execute("insert into meta.views (digest) values ($digest)", {"digest": digest_of_views()})
    connection.execute("checkpoint")


def _make_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Make every view anew; a column that its file says nothing about means what its namesake means."""
    for view in steps("views"):
        connection.execute(view.text)
    for (statement,) in connection.execute(sql("namesakes")).fetchall():
        connection.execute(statement)


def quoted(text: str) -> str:
    """Return a text as a literal of SQL, for where DuckDB takes no parameters."""
    return "'" + text.replace("'", "''") + "'"
