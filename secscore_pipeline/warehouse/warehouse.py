"""The warehouse as runs and readers use it, whether it is two DuckDB files or a lake."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb

from secscore_pipeline.config.registry import (
    SECSCORE_DATA_PATH,
    SECSCORE_DATABASE,
    SECSCORE_KEEP_PUBLISHED,
    SECSCORE_WORK_DATABASE,
)
from secscore_pipeline.config.storage import parse_lake_settings, resolve_database_path, resolve_work_path
from secscore_pipeline.system.files import follow_link
from secscore_pipeline.warehouse import connection, publishing, store
from secscore_pipeline.warehouse.lake import Lake
from secscore_pipeline.warehouse.publishing import Publication
from secscore_pipeline.warehouse.retention import compute_cutoff, get_newest_fetch

READING = timedelta(days=2)
"""How long a reader of a lake may go on with files that no longer belong to it."""

TIME_TRAVEL = timedelta(days=30)
"""For how long a lake can be shown as it was."""


class Maintenance(NamedTuple):
    """The result of keeping the store small.

    Attributes:
        before, after: how many bytes there were of what runs have written, and how many there are.
        cutoff: what was observed before this moment (UTC) is deleted; None where all is kept.
        warnings: a sentence for each thing that somebody should know.
    """

    before: int
    after: int
    cutoff: datetime | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Warehouse:
    """The store: two DuckDB files, the one that runs write and the one published for readers; or a lake for both.

    Its connections are always closed, its files owner-only and migrated, and its errors say what to do.

    Attributes:
        database: the path of the published file, where `~` is the home directory, or `ducklake:` and a catalog.
        work_database: the path of the file that runs write; empty for one beside the published file.
        data_path: where a lake keeps its data.
        keep_published: how many published files are kept beside the newest one.
    """

    database: str
    work_database: str = ""
    data_path: str = ""
    keep_published: int = SECSCORE_KEEP_PUBLISHED.parse("")

    @classmethod
    def from_environment(cls) -> "Warehouse":
        """Make the warehouse that SECSCORE_DATABASE and the settings beside it name.

        Raises:
            SettingsError: they name a lake, but not rightly, or with a password, which Dagster would show.
        """
        parse_lake_settings(SECSCORE_DATABASE.read(), SECSCORE_DATA_PATH.read(), SECSCORE_WORK_DATABASE.read())
        return cls(
            database=SECSCORE_DATABASE.read(),
            work_database=SECSCORE_WORK_DATABASE.read(),
            data_path=SECSCORE_DATA_PATH.read(),
            keep_published=SECSCORE_KEEP_PUBLISHED.read(),
        )

    @property
    def lake(self) -> Lake | None:
        """The lake; None where the store is files."""
        given = parse_lake_settings(self.database, self.data_path, self.work_database)
        return Lake(*given) if given else None

    @property
    def path(self) -> Path:
        """The path of the file that runs write; with a lake, that beside which they keep what is on its way."""
        if self.lake:
            return self.lake.beside
        return follow_link(resolve_work_path(self.work_database, resolve_database_path(self.database)))

    @property
    def published_path(self) -> Path:
        """The path of the file for readers; with a lake, that beside which the journal of alerts lies."""
        return self.lake.beside if self.lake else follow_link(resolve_database_path(self.database))

    @property
    def label(self) -> str:
        """What readers open, as it may be shown."""
        return self.lake.label if self.lake else str(self.published_path)

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the store for writing, made and migrated when needed; a new file begins as what is published."""
        if self.lake:
            with self.lake.open_for_writing() as opened:
                yield opened
            return
        publishing.start_from_published(self.path, self.published_path)
        with connection.open_for_writing(self.path) as opened:
            yield opened

    @contextmanager
    def get_reader(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open what runs write for reading only: what a run has just stored."""
        lake = self.lake
        with lake.open_for_reading() if lake else connection.open_for_reading(self.path, may_spill=True) as opened:
            yield opened

    @contextmanager
    def get_published(
        self, at: datetime | None = None, reachable: Iterable[Path] = ()
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open what is there for readers: what the newest run published. Its SQL reaches no other file.

        Args:
            at: with a lake, as it was at this moment (UTC).
            reachable: the files and folders that SQL may reach all the same.
        """
        lake = self.lake
        with (
            lake.reading_restricted(at, reachable)
            if lake
            else connection.open_for_reading(self.published_path, reachable=reachable)
        ) as opened:
            yield opened

    def refuse_absent(self) -> None:
        """Raise where there is no database yet: better known before anything is made for what would be read.

        Raises:
            WarehouseError: says so, or why it cannot be opened.
        """
        with self.get_published():
            return

    def refuse_behind(self) -> None:
        """Raise where what runs write lacks what readers have: better known before something is read than after."""
        if not self.lake:
            publishing.refuse_behind(self.path, self.published_path)

    def publish(self) -> Publication:
        """Put what is stored there for readers, as a whole, where it is not already.

        Raises:
            SettingsError, WarehouseError: it was not; the published file stays as it was.
        """
        if self.lake:
            return Publication(self.lake.size())
        return publishing.publish(self.path, self.published_path, self.keep_published)

    def size(self) -> int:
        """Return how many bytes there are of what runs have written."""
        return self.lake.size() if self.lake else self.path.stat().st_size

    def published_size(self) -> int:
        """Return how many bytes there are for readers."""
        return self.lake.size() if self.lake else self.published_path.stat().st_size

    def maintain(self, now: datetime, days: int | None = None) -> Maintenance:
        """Keep the store small, and publish it; a lake can be shown as it was for TIME_TRAVEL yet.

        Args:
            now: the time, UTC.
            days: fetches that were observed so many days before the newest one are deleted; None keeps all of them.

        Raises:
            WarehouseError: there is no store yet; the clock contradicts the newest fetch, or the store cannot be
                written; nothing was deleted.
        """
        if self.lake or not (connection.holds_something(self.path) or connection.holds_something(self.published_path)):
            self.refuse_absent()
        with self.get_connection() as opened:
            before = self.size()
            cutoff = compute_cutoff(opened, days, now) if days is not None else None
            if cutoff:
                store.delete_old_fetches(opened, cutoff)
            then = min(
                now, get_newest_fetch(opened) or now
            )  # by a clock that is ahead, all of a lake's past would be old
        if self.lake:
            self.lake.compact(then - TIME_TRAVEL, then - READING)
            return Maintenance(before, self.size(), cutoff)
        store.compact(self.path)
        return Maintenance(before, self.size(), cutoff, self.publish().warnings)
