"""Tells each channel of each alert once, however often it is asked to, and remembers what was told."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from secscore_pipeline.alerts.channels import Channel, ChannelError
from secscore_pipeline.alerts.events import Alert
from secscore_pipeline.clock import Clock


class Told(NamedTuple):
    """What came of telling: how many messages were sent, and why a channel did not take one, by its name."""

    sent: int
    failed: dict[str, str]


class Journal:
    """What was told over which channel, in a file of its own: the database is written by runs alone.

    A message is noted as soon as its channel has taken it. A kill between the two has it sent again, with the same key.
    """

    def __init__(self, connection: sqlite3.Connection, now: datetime) -> None:
        self._connection = connection
        connection.execute("pragma synchronous = full")
        connection.execute("create table if not exists begun (at text not null)")
        connection.execute(
            "create table if not exists told (key text, channel text, at text not null, primary key (key, channel))"
        )
        connection.execute("create table if not exists settled (at text not null)")
        for table in ("begun", "settled"):  # noted by a clock that was ahead: until then nothing would be told
            connection.execute(f"update {table} set at = ? where at > ?", [now.isoformat()] * 2)  # noqa: S608 - our names
        connection.execute("insert into begun select ? where not exists (select 1 from begun)", [now.isoformat()])
        connection.commit()

    @property
    def begun(self) -> datetime:
        """When alerts were first asked for: nothing that happened before is told."""
        (at,) = self._connection.execute("select at from begun").fetchone()
        return datetime.fromisoformat(at)

    @property
    def settled(self) -> datetime:
        """Up to when everything that happened has been told: an old store is asked for no more than what came since."""
        at = self._connection.execute("select max(at) from settled").fetchone()[0]
        return max(self.begun, datetime.fromisoformat(at)) if at else self.begun

    def settle(self, at: datetime) -> None:
        """Remember that everything which happened until then has been told over every channel."""
        with self._connection:
            self._connection.execute("delete from settled")
            self._connection.execute("insert into settled (at) values (?)", [at.isoformat()])

    def lacks(self, alert: Alert, channel: Channel) -> bool:
        """Tell whether a channel has not been told of an alert."""
        asked = [alert.key, channel.name]
        return self._connection.execute("select 1 from told where key = ? and channel = ?", asked).fetchone() is None

    def note(self, alert: Alert, channel: Channel, at: datetime) -> None:
        """Remember that a channel was told of an alert."""
        noted = [alert.key, channel.name, at.isoformat()]
        self._connection.execute("insert or ignore into told (key, channel, at) values (?, ?, ?)", noted)
        self._connection.commit()


@contextmanager
def journal_of(database: Path, now: datetime) -> Iterator[Journal]:
    """Open the journal beside a database; whoever else has it open is waited for.

    Args:
        database: the published database.
        now: UTC; when the journal begins, if it is new.
    """
    path = database.with_name(f"{database.stem}.alerts.sqlite")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        yield Journal(connection, now)


def tell(alerts: Iterable[Alert], channels: Sequence[Channel], journal: Journal, base_url: str, clock: Clock) -> Told:
    """Tell each channel what it has not been told yet; one that does not answer keeps nobody else from being told.

    Args:
        alerts: what to tell, in order.
        channels: where to.
        journal: what was told before.
        base_url: of Dagster's UI, for the links.
        clock: tells the present time.
    """
    sent, failed = 0, dict[str, str]()
    for alert in alerts:
        url = f"{base_url.rstrip('/')}/{f'runs/{alert.run_id}' if alert.run_id else 'assets'}"
        for channel in channels:
            if channel.name in failed or not journal.lacks(alert, channel):
                continue
            try:
                channel.send(alert, url)
            except ChannelError as error:
                failed[channel.name] = str(error)
            else:
                journal.note(alert, channel, clock())
                sent += 1
    return Told(sent, failed)
