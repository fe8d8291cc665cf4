"""The journal of alerts: what waits for delivery over which channel, what was delivered, and what was set aside."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from secscore_pipeline.alerts.alert import Alert
from secscore_pipeline.errors import FailureError

_Value = TypeVar("_Value")

LOCK_PATIENCE = 10.0
"""Seconds to wait for a journal that another process holds."""

LONGEST_PAUSE = timedelta(hours=1)
"""How long an alert waits for its next attempt at most."""

SHOWN_FOR = timedelta(days=30)
"""How long an alert that was set aside is shown, where nobody acknowledges it."""

_TABLES = """
create table if not exists begun (at text not null);
create table if not exists told (key text, channel text, at text not null, primary key (key, channel));
create table if not exists settled (at text not null);
create table if not exists reported (finding text primary key);
create table if not exists pending (
    key text not null,
    channel text not null,
    alert text not null,
    queued_at real not null,
    attempts integer not null default 0,
    not_before real not null default 0,
    reason text not null default '',
    set_aside_at real,
    primary key (key, channel)
);
"""


class JournalError(FailureError):
    """The journal of alerts cannot be used: the message says why and what to do."""


class Pending(NamedTuple):
    """An alert that a channel has not taken yet.

    Attributes:
        queued_at: since when it waits, UTC.
        attempts: how often it was sent in vain.
    """

    alert: Alert
    queued_at: datetime
    attempts: int


class SetAside(NamedTuple):
    """Alerts that a channel did not take, and that are no longer sent.

    Attributes:
        channel: the channel's name.
        alerts: how many.
        since: when the first of them was set aside, UTC.
        reason: why the newest one was not taken.
    """

    channel: str
    alerts: int
    since: datetime
    reason: str

    @property
    def sentence(self) -> str:
        """A sentence for people."""
        count = f"{self.alerts} {'alert was' if self.alerts == 1 else 'alerts were'}"
        return (
            f"{count} set aside since {self.since:%Y-%m-%d %H:%M} UTC, since {self.channel} did not take "
            f"{'it' if self.alerts == 1 else 'them'}: {self.reason} `secscore alert --acknowledge` removes this line."
        )


class Journal:
    """What waits for delivery over which channel, and what was delivered, in a file of its own beside the database.

    A delivery is noted as soon as its channel has taken it. A kill between the two has it sent again, with the same
    key.
    """

    def __init__(self, connection: sqlite3.Connection, now: datetime) -> None:
        self._connection = connection
        connection.execute("pragma synchronous = full")
        connection.executescript(_TABLES)
        with connection:
            connection.execute("insert into begun select ? where not exists (select 1 from begun)", [now.isoformat()])
        for table in ("begun", "settled"):
            self._set_right(table, now)

    def _set_right(self, table: str, now: datetime) -> None:
        """Change a time that was noted by a clock that was ahead: until then nothing would be delivered."""
        at = self._connection.execute(f"select max(at) from {table}").fetchone()[0]  # noqa: S608 - our own names
        if at and _read(_aware, at) > now:
            with self._connection:
                self._connection.execute(f"update {table} set at = ?", [now.isoformat()])  # noqa: S608

    @property
    def begun(self) -> datetime:
        """When alerts were first switched on: nothing that happened before is delivered."""
        return _read(_aware, self._connection.execute("select max(at) from begun").fetchone()[0])

    @property
    def settled_until(self) -> datetime:
        """Up to when everything that happened was queued: of an old store only what came since is read."""
        at = self._connection.execute("select max(at) from settled").fetchone()[0]
        return max(self.begun, _read(_aware, at)) if at else self.begun

    def find_unreported(self, findings: Iterable[str]) -> set[str]:
        """Return the findings, by their keys, that no alert was queued of."""
        return {*findings} - {key for (key,) in self._connection.execute("select finding from reported").fetchall()}

    def queue(
        self,
        alerts: Iterable[Alert],
        channels: Sequence[str],
        now: datetime,
        seen_until: datetime | None = None,
        findings: Iterable[str] | None = None,
    ) -> None:
        """Queue each alert for each channel that has neither taken nor queued it, all of them or none.

        Args:
            alerts: in the order in which they are sent.
            channels: the names of the channels that are set.
            now: UTC.
            seen_until: up to when everything that happened is among the alerts, UTC.
            findings: the keys of all findings that are overdue, of which the alerts are or were; None: not looked for.
        """
        with self._connection:
            for alert in alerts:
                for channel in channels:
                    queued = [alert.key, channel, json.dumps(alert._asdict()), now.timestamp(), alert.key, channel]
                    self._connection.execute(
                        "insert or ignore into pending (key, channel, alert, queued_at) select ?, ?, ?, ? "
                        "where not exists (select 1 from told where key = ? and channel = ?)",
                        queued,
                    )
            if seen_until and channels:
                self._connection.execute("delete from settled")
                self._connection.execute("insert into settled (at) values (?)", [seen_until.isoformat()])
            if findings is not None and channels:  # of one that is fixed nothing need be known any more
                self._connection.execute("delete from reported")
                self._connection.executemany("insert into reported (finding) values (?)", [(one,) for one in findings])

    def due(self, channel: str, now: datetime) -> list[Pending]:
        """Return what a channel should be sent now: what failed least often first, so that each is tried.

        Args:
            channel: the channel's name.
            now: UTC.
        """
        # A pause that ends later than any pause can was noted by a clock that was ahead: it counts for nothing.
        parameters = [channel, now.timestamp(), (now + LONGEST_PAUSE).timestamp()]
        found = self._connection.execute(
            "select alert, queued_at, attempts from pending where channel = ? and set_aside_at is null "
            "and (not_before <= ? or not_before > ?) order by attempts, rowid",
            parameters,
        ).fetchall()
        return [
            Pending(_read(_alert, text), _read(_moment, queued_at), attempts) for text, queued_at, attempts in found
        ]

    def claim(self, key: str, channel: str, now: datetime, seconds: float) -> bool:
        """Keep an alert from other processes for so long; return False where one has it, or has delivered it.

        Args:
            key: the alert's.
            channel: the channel's name.
            now: UTC.
            seconds: how long its delivery takes at most.
        """
        claimed = [now.timestamp() + seconds, key, channel, now.timestamp(), (now + LONGEST_PAUSE).timestamp()]
        with self._connection:
            cursor = self._connection.execute(
                "update pending set not_before = ? where key = ? and channel = ? and set_aside_at is null "
                "and (not_before <= ? or not_before > ?)",
                claimed,
            )
            return cursor.rowcount == 1

    def note_delivery(self, key: str, channel: str, now: datetime) -> None:
        """Note that a channel has taken an alert, which it will not be sent again."""
        with self._connection:
            self._connection.execute("insert or ignore into told values (?, ?, ?)", [key, channel, now.isoformat()])
            self._connection.execute("delete from pending where key = ? and channel = ?", [key, channel])

    def note_failure(self, key: str, channel: str, reason: str, not_before: datetime) -> None:
        """Note that a channel has not taken an alert, why, and when to send it again."""
        with self._connection:
            self._connection.execute(
                "update pending set attempts = attempts + 1, reason = ?, not_before = ? where key = ? and channel = ?",
                [reason, not_before.timestamp(), key, channel],
            )

    def set_aside(self, key: str, channel: str, now: datetime) -> None:
        """Send an alert over a channel no more, and show that until somebody acknowledges it."""
        with self._connection:
            self._connection.execute(
                "update pending set set_aside_at = ? where key = ? and channel = ?", [now.timestamp(), key, channel]
            )

    def acknowledge(self, now: datetime, older_than: timedelta = timedelta(0)) -> int:
        """Count alerts that were set aside as delivered, so that they are shown no more; return how many there were.

        Args:
            now: UTC.
            older_than: only those that were set aside longer ago than this.
        """
        until = (now - older_than).timestamp() if older_than else float("inf")
        with self._connection:
            self._connection.execute(
                "insert or ignore into told (key, channel, at) "
                "select key, channel, ? from pending where set_aside_at < ?",
                [now.isoformat(), until],
            )
            return self._connection.execute("delete from pending where set_aside_at < ?", [until]).rowcount


@contextmanager
def open_journal(database: Path, now: datetime) -> Iterator[Journal]:
    """Open the journal beside a database, made where it is not there.

    Args:
        database: the published database.
        now: UTC; when the journal begins, if it is new.

    Raises:
        JournalError: it is damaged, locked by another process, or cannot be written.
    """
    path = journal_path(database)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        raise JournalError(f"{path} cannot be made ({error.strerror}).", "journal-unwritable") from None
    with _explain_failures(path), closing(sqlite3.connect(path, timeout=LOCK_PATIENCE)) as connection:
        yield Journal(connection, now)


def list_set_aside(database: Path) -> list[SetAside]:
    """Return what was set aside, a row for each channel. The journal is only read; where there is none, nothing was.

    Raises:
        JournalError: it cannot be read.
    """
    path = journal_path(database)
    if not path.exists():
        return []
    query = (
        "select channel, count(*), min(set_aside_at), (select newest.reason from pending as newest "
        "where newest.channel = pending.channel order by newest.set_aside_at desc limit 1) "
        "from pending where set_aside_at is not null group by channel order by channel"
    )
    with (
        _explain_failures(path),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=LOCK_PATIENCE, uri=True)) as connection,
    ):
        if connection.execute("select 1 from sqlite_master where name = 'pending'").fetchone() is None:
            return []  # an older version made it
        return [
            SetAside(channel, alerts, _read(_moment, since), reason)
            for channel, alerts, since, reason in connection.execute(query).fetchall()
        ]


def journal_path(database: Path) -> Path:
    """Return the path of the journal beside a database."""
    return database.with_name(f"{database.stem}.alerts.sqlite")


_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_UNWRITABLE = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}


@contextmanager
def _explain_failures(path: Path) -> Iterator[None]:
    """Convert whatever SQLite says of the journal into one sentence with its resolution."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code; above it stands the detail
        if code in _LOCKED:
            what = f"{path} is held by another process, and still was after {LOCK_PATIENCE:g} s."
            raise JournalError(what, "journal-held") from None
        if code in _UNWRITABLE:
            raise JournalError(f"{path} cannot be read or written ({error}).", "journal-unwritable") from None
        raise JournalError(f"{path} is damaged, or no journal of alerts ({error}).", "journal-damaged") from None


def _read(convert: Callable[[Any], _Value], stored: object) -> _Value:
    """Return what a cell of the journal says.

    Raises:
        sqlite3.DataError: nothing that this program writes there.
    """
    try:
        return convert(stored)
    except (ValueError, TypeError, KeyError, OverflowError, OSError, RecursionError) as error:
        raise sqlite3.DataError(f"a cell cannot be read, {type(error).__name__}") from None


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment


def _moment(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)


def _alert(text: str) -> Alert:
    fields = json.loads(text)
    return Alert(**{**fields, "lines": tuple(fields["lines"])})


def list_alert_problems(database: Path) -> list[str]:
    """Return a sentence for each channel with alerts that were set aside, or one that says why nobody knows.

    Args:
        database: the published database.
    """
    try:
        return [found.sentence for found in list_set_aside(database)]
    except JournalError as error:
        return [str(error)]
