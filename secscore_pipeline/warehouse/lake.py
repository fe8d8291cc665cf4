"""A store on DuckLake: the catalog in PostgreSQL, the data as Parquet on a disk or object store that all share.

Everything that differs from a DuckDB file is here: how it is opened, what its tables cannot have, how it is kept small.
"""

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache, partial
from importlib.metadata import PackageNotFoundError, distribution
from itertools import count
from pathlib import Path
from threading import Lock

import duckdb

from secscore_pipeline.system.ending import call_at_end
from secscore_pipeline.system.scratch import scratch_folder
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.system.stopping import calls_on_stop
from secscore_pipeline.warehouse.connection import make_folder, prefixes_of, restrict_access
from secscore_pipeline.warehouse.errors import WarehouseError, first_line
from secscore_pipeline.warehouse.schema import (
    applied_migrations,
    digest_of_views,
    list_schema_steps,
    make_schema,
    schema_is_current,
)
from secscore_pipeline.warehouse.statements import execute, has_rows, quote_literal
from secscore_pipeline.warehouse.transactions import hold_write_lock, retry_on_clash, transaction

_EXTENSIONS = {
    "postgres:": ("postgres_scanner",),
    "s3://": ("httpfs",),
    "abfss://": ("azure",),
    "az://": ("azure",),
}
"""What DuckDB needs beside ducklake, by how a catalog or a data path begins."""

_DIFFERENT = re.compile(
    r"\s+using compression \w+"  # Parquet has its own
    r"|,?\s+primary key\b(\s*\([^)]*\))?"  # nothing enforces one: the write lock and checks do
    r"|\s+default\s*\(?now\(\)\)?",  # defaults are constants
    re.IGNORECASE,
)


_LOST = re.compile(
    "unable to connect to postgres|connection to server|server closed the connection|terminating connection"
    r"|no connection to the server|could not (receive|send) data|failed to execute query \"rollback\": *$",
    re.MULTILINE,
)
"""What libpq says of a catalog that is not there, or no longer; nothing of one that has hung up."""


@dataclass(frozen=True)
class Lake:
    """A DuckLake.

    Attributes:
        catalog: what DuckLake attaches: `postgres:<connection>`; a password comes from PGPASSWORD or a pgpass file.
        data_path: the folder or URL of its Parquet files.
        beside: the path on this machine beside which what a run spools is kept.
    """

    catalog: str
    data_path: str
    beside: Path

    @property
    def label(self) -> str:
        """What the store is called in messages."""
        return f"ducklake:{self.catalog}"

    @contextmanager
    def open_for_writing(self, *, is_moving: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the lake for writing, made and brought up to date when needed. Several processes may.

        Args:
            is_moving: whether a file is moved into it; a lake with a part of one is refused to others.

        Raises:
            WarehouseError: the catalog or the data cannot be reached, or is of something else or of a newer version.
        """
        if "://" not in self.data_path:
            make_folder(Path(self.data_path), "SECSCORE_DATA_PATH")
        with self._attach("") as connection:
            retry_on_clash(lambda: self._bring_up_to_date(connection))
            if not is_moving and is_unfinished(connection):
                raise WarehouseError(f"Not all of a file has been moved into {self.label} yet.", "move-unfinished")
            yield connection

    @contextmanager
    def open_for_reading(self, at: datetime | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the lake for reading: the whole of it as it is now, whatever is written meanwhile.

        Args:
            at: read it as it was at this moment, UTC.

        Raises:
            WarehouseError: nothing is stored yet, or the catalog cannot be reached.
        """
        with self._attach(_options(at), is_kept=at is None) as connection, self._one_moment(connection):
            yield connection

    @contextmanager
    def reading_restricted(
        self, at: datetime | None = None, reachable: Iterable[Path] = ()
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the lake for reading as `reading` does, for SQL that may come from anywhere.

        It reaches the lake's own files, and nothing else of this machine. A DuckDB of its own: access cannot be given
        back to the one that runs write with.

        Args:
            at: read it as it was at this moment, UTC.
            reachable: the files and folders that SQL may reach beside it.

        Raises:
            WarehouseError: nothing is stored yet, or the catalog cannot be reached.
        """
        make = _open_restricted if at is None else _open_restricted.__wrapped__  # of the past, none is kept
        engine = make(self, _options(at), tuple(prefixes_of(reachable)))
        with engine.cursor() as connection, self._in_use(connection, "lake"), self._one_moment(connection):
            yield connection

    @contextmanager
    def _one_moment(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Have every query in the block see the lake at the same moment."""
        if not applied_migrations(connection):
            raise WarehouseError(f"There is nothing in {self.label} yet.", "database-absent")
        connection.execute("begin transaction")
        try:
            yield
        finally:
            connection.execute("rollback")

    def size(self) -> int:
        """Return the size of the data in bytes, without what is left of the past."""
        with self.open_for_reading() as connection:
            row = connection.execute(load_sql("warehouse/measure_lake")).fetchone()
        return int(row[0]) if row else 0

    def compact(self, before: datetime, unused_since: datetime) -> None:
        """Join small files, write those anew of which much was deleted, and delete how the lake was before a moment.

        Nobody else writes during each step: DuckLake would lose what another process deletes of a file that is joined.

        Args:
            before: since when it can be shown as it was, UTC.
            unused_since: files are deleted that have not belonged to it since this moment, UTC.
        """
        moments = {"before": before, "unused_since": unused_since}

        def take(step: str) -> None:
            with hold_write_lock(connection):
                # To the last row: DuckDB computes what is fetched.
                execute(connection, load_sql(f"warehouse/{step}"), moments).fetchall()

        with self.open_for_writing() as connection:
            for step in ("flush_lake", "rewrite_lake", "merge_lake", "expire_lake", "clean_up_lake"):
                retry_on_clash(partial(take, step))

    @contextmanager
    def _attach(self, options: str, *, is_kept: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the lake; where it `is_kept`, the process has it quicker the next time."""
        make_folder(self.beside.parent, "SECSCORE_WORK_DATABASE")
        engine = _engine(self.extensions())
        with (
            engine.connection.cursor() as connection,
            engine.lake(self, options, is_kept=is_kept) as name,
            self._in_use(connection, name),
            calls_on_stop(connection.interrupt),
        ):
            yield connection

    @contextmanager
    def _in_use(self, connection: duckdb.DuckDBPyConnection, name: str) -> Iterator[None]:
        """Use the lake attached by this name in the block, and say what an error of DuckDB's means for it."""
        try:
            connection.execute("set timezone = 'UTC'")
            connection.execute(f"use {name}")
            execute(connection, "set variable catalog = $kind", {"kind": self.catalog.partition(":")[0]})
            yield
        except duckdb.FatalException as error:  # this DuckDB refuses everything from now on
            _engine.cache_clear()
            _open_restricted.cache_clear()
            raise self.make_error(error) from error
        except duckdb.PermissionException as error:
            what = f"{self.label} reaches for something outside ({first_line(error)})."
            raise WarehouseError(what, "database-reaches-out") from error
        except (duckdb.IOException, duckdb.TransactionException) as error:
            raise self.make_error(error) from error

    def attach(self, connection: duckdb.DuckDBPyConnection, name: str, options: str) -> None:
        """Attach the lake by a name.

        Args:
            connection: to a DuckDB with the extensions loaded.
            name: what it is called there.
            options: of DuckLake, each after a comma.

        Raises:
            WarehouseError: it cannot be attached.
        """
        how = f"(data_path {quote_literal(self.data_path)}{options})"  # DuckDB takes no parameters here
        try:
            retry_on_clash(lambda: connection.execute(f"attach {quote_literal(self.label)} as {name} {how}"))
        except duckdb.Error as error:
            raise self.make_error(error) from error

    def extensions(self) -> tuple[str, ...]:
        """Return the names of the extensions of DuckDB that the lake needs."""
        given = (self.catalog, self.data_path)
        needed = [
            extension
            for beginning, extensions in _EXTENSIONS.items()
            if any(text.startswith(beginning) for text in given)
            for extension in extensions
        ]
        return ("ducklake", *dict.fromkeys(needed))

    def _bring_up_to_date(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Give the lake every table and view that it lacks: a new one those of today, an old one its missing steps."""
        if schema_is_current(connection, self.label):
            return
        with duckdb.connect(":memory:") as model, transaction(connection, is_first=True):
            make_schema(model)
            views = {name for (name,) in model.execute(load_sql("warehouse/list_views")).fetchall()}
            missing = list(list_schema_steps("migrations"))
            if not has_rows(connection, "warehouse/count_tables"):
                connection.execute("create schema meta")
                connection.execute("create table meta.turns (number bigint not null)")
                connection.execute("insert into meta.turns (number) values (0)")
                for (statement,) in model.execute(load_sql("warehouse/list_lake_tables")).fetchall():
                    connection.execute(_adapt_statement(statement))
            else:
                applied = applied_migrations(connection)
                missing = [step for step in missing if step.number not in applied]
                for step in missing:
                    _run(connection, step.text, views)
            for step in missing:
                execute(
                    connection,
                    "insert into meta.migrations (version, name, applied_at) values ($version, $name, now())",
                    {"version": step.number, "name": step.name},
                )
            for view in list_schema_steps("views"):
                _run(connection, view.text, views)
            connection.execute("delete from meta.views")
            execute(connection, "insert into meta.views (digest) values ($digest)", {"digest": digest_of_views()})

    def make_error(self, error: Exception) -> WarehouseError:
        """Return what an error of DuckDB's means for the store."""
        said = first_line(error)
        text = str(error)
        for name in filter(None, (self.label, self.catalog, self.data_path)):
            text = text.replace(name, "")  # what the user named something says nothing of what happened
        text = text.lower()
        if _LOST.search(text):
            return WarehouseError(f"The catalog of {self.label} cannot be reached ({said}).", "catalog-unreachable")
        if re.search(r"read-only transaction|could not extend file|could not write to file .*no space left", text):
            return WarehouseError(f"The catalog of {self.label} takes no writes.", "catalog-read-only")
        if "does not match existing data path" in text:
            return WarehouseError(f"{self.label} has its files elsewhere ({said}).", "data-path-differs")
        if isinstance(error, duckdb.HTTPException) or re.search("for http|azure(blob|dfs)?storagefilesystem", text):
            what = f"The object store of {self.data_path} refused ({said}). What was begun was taken back."
            return WarehouseError(what, "object-store-refused")
        if "lock timeout" in text or (isinstance(error, duckdb.TransactionException) and "conflict" in text):
            return WarehouseError(f"{self.label} was written by others at each try ({said}).", "store-busy")
        if re.search(r"catalog version mismatch|only ducklake versions", text):
            return WarehouseError(f"{self.label} is of another version of DuckLake ({said}).", "database-newer")
        if "no snapshot found" in text:
            return WarehouseError(f"{self.label} cannot be shown as it was then ({said}).", "no-such-moment")
        if re.search(r"existing ducklake|in read-only mode: database does not exist", text):
            return WarehouseError(f"There is nothing in {self.label} yet.", "database-absent")
        return WarehouseError(
            f"{self.label} could not be written or read ({said}). What was begun was taken back.",
            "database-unwritable",
        )


@dataclass
class _Attachment:
    """A lake that is attached: its name there, and how many use it just now."""

    lake: Lake
    name: str
    users: int = 0


class _Engine:
    """The DuckDB of this process that lakes are opened with.

    Loading its extensions takes half a second, and attaching a lake a quarter: the one used last stays attached, once
    for reading and once for writing.
    """

    def __init__(self, extensions: tuple[str, ...]) -> None:
        self.connection = _new_engine(extensions)
        self._attach: dict[tuple[Lake, str], _Attachment] = {}
        self._numbers = count(1)
        self._lock = Lock()

    @contextmanager
    def lake(self, lake: Lake, options: str, *, is_kept: bool) -> Iterator[str]:
        """Have a lake attached in some way, and yield its name.

        Raises:
            WarehouseError: it cannot be attached.
        """
        with self._lock:
            self._detach_unused(lambda one: one.lake != lake)  # what it holds is listed with every other's
            if (lake, options) not in self._attach:
                name = f"secscore_{next(self._numbers)}"
                with self.connection.cursor() as cursor:
                    lake.attach(cursor, name, options)
                self._attach[lake, options] = _Attachment(lake, name)
            attachment = self._attach[lake, options]
            attachment.users += 1
        try:
            yield attachment.name
        finally:
            with self._lock:
                attachment.users -= 1
                self._detach_unused(lambda one: one is attachment and not is_kept)

    def _detach_unused(self, is_meant: Callable[[_Attachment], bool]) -> None:
        """Detach the lakes that are meant and that nobody uses."""
        for key, one in list(self._attach.items()):
            if not one.users and is_meant(one):
                del self._attach[key]
                with self.connection.cursor() as cursor:
                    cursor.execute(f"detach {one.name}")


@cache
def _engine(extensions: tuple[str, ...]) -> _Engine:
    return _Engine(extensions)


@lru_cache(maxsize=1)
def _open_restricted(lake: Lake, options: str, reachable: tuple[str, ...]) -> duckdb.DuckDBPyConnection:
    """Make a DuckDB that has a lake attached, as `lake`, and reaches nothing else but what it is given.

    Raises:
        WarehouseError: the lake cannot be attached.
    """
    connection = _new_engine(lake.extensions())
    lake.attach(connection, "lake", options)
    connection.execute("from duckdb_secrets()").fetchall()  # DuckDB reads those that it keeps for object stores now
    data = [lake.data_path] if "://" in lake.data_path else prefixes_of([Path(lake.data_path)])
    data = [one if one.endswith("/") else f"{one}/" for one in data]
    restrict_access(connection, [*data, *reachable])
    return connection


def _new_engine(extensions: tuple[str, ...]) -> duckdb.DuckDBPyConnection:
    """Make a DuckDB with extensions, and a private folder for what its memory has no room for."""
    connection = duckdb.connect(":memory:")
    for extension in extensions:
        _load(connection, extension)
    connection.execute("set preserve_insertion_order = false")
    stack = ExitStack()
    spilled = stack.enter_context(scratch_folder(Path(tempfile.gettempdir()) / "secscore-lake"))
    call_at_end(stack.close)
    execute(connection, "set temp_directory = $folder", {"folder": str(spilled)})
    return connection


def _options(at: datetime | None) -> str:
    """Return how a lake is attached for reading, as it is or as it was at a moment."""
    then = f", snapshot_time '{at:%Y-%m-%d %H:%M:%S.%f%z}'" if at else ""
    return f", read_only, create_if_not_exists false{then}"


def is_unfinished(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether a file is being moved into a lake, or that was cut short."""
    try:
        connection.execute("from meta.moving limit 0")
    except duckdb.CatalogException:  # quicker than listing the tables
        return False
    return True


def _run(connection: duckdb.DuckDBPyConnection, text: str, views: set[str]) -> None:
    """Run a file of the schema as a lake can have it: macros and the columns of views have no comments there."""
    for statement in duckdb.extract_statements(text):
        if re.search(r"comment\s+on\s+macro\s", statement.query, re.IGNORECASE):
            continue
        commented = re.search(r"comment\s+on\s+column\s+([\w.]+)\.\w+\s+is", statement.query, re.IGNORECASE)
        if not (commented and commented[1] in views):
            connection.execute(_adapt_statement(statement.query))


def _adapt_statement(statement: str) -> str:
    return _DIFFERENT.sub("", statement)


def _load(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load an extension of DuckDB from its package, or as DuckDB finds or fetches it itself.

    Raises:
        WarehouseError: it is nowhere.
    """
    try:
        packaged = [
            file.locate()
            for file in distribution(f"duckdb-extension-{name.replace('_', '-')}").files or []
            if file.name == f"{name}.duckdb_extension" and f"v{duckdb.__version__}" in file.parts
        ]
    except PackageNotFoundError:
        packaged = []
    try:
        if not packaged:
            connection.execute(f"install {name}")
        connection.execute(f"load {quote_literal(str(packaged[0])) if packaged else name}")
    except duckdb.Error as error:
        what = f"DuckDB's extension {name} cannot be loaded ({first_line(error)})."
        raise WarehouseError(what, "extension-missing", version=duckdb.__version__) from error
