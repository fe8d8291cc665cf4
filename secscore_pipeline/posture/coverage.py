"""How many subscriptions were read, have no score, or could not be read, and why: counted and worded here for all."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import duckdb

from secscore_pipeline.azure.errors import Outcome, ReadResult
from secscore_pipeline.errors import resolution_of
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.text import count_subscriptions, list_some, printable
from secscore_pipeline.warehouse.statements import execute

NAMED = 5
"""How many subscriptions a message names; of more it says how many there are."""


SAID = 200
"""How many characters of what happened to a subscription a message has; `posture.read_results` has them all."""


class Coverage(NamedTuple):
    """How many subscriptions were read, have no score, and could not be read: each counts once.

    >>> Coverage(11, 2, 1).sentence
    '11 of 14 subscriptions read; 2 have no score; 1 not read'
    """

    read: int
    without_score: int
    not_read: int

    @property
    def subscriptions(self) -> int:
        """How many there are in all."""
        return sum(self)

    @property
    def sentence(self) -> str:
        """The counts in words, without a full stop."""
        parts = [f"{self.read} of {count_subscriptions(self.subscriptions)} read"]
        if self.without_score:
            parts.append(f"{self.without_score} {'has' if self.without_score == 1 else 'have'} no score")
        if self.not_read:
            parts.append(f"{self.not_read} not read")
        return "; ".join(parts)

    @property
    def metadata(self) -> dict[str, int]:
        """The counts as Dagster's UI shows them."""
        return {
            "subscriptions": self.subscriptions,
            "subscriptions_read": self.read,
            "subscriptions_without_score": self.without_score,
            "subscriptions_not_read": self.not_read,
        }


def count_results(results: Iterable[str]) -> Coverage:
    """Count subscriptions by their results.

    Args:
        results: of each subscription, what `posture.read_results.result` holds.
    """
    counts = Counter(results)
    return Coverage(*(counts[result] for result in (ReadResult.READ, ReadResult.NO_SCORE, ReadResult.NOT_READ)))


class Cause(NamedTuple):
    """Why some subscriptions could not be read: a row of unread_causes.sql.

    Attributes:
        outcome, http_status, error_code, failure: what they have in common, as in `posture.read_results`.
        subscriptions: their names, or their ids where these are not known.
        error: what happened to the first one, and what to do.
    """

    outcome: str
    http_status: int | None
    error_code: str | None
    failure: str | None
    subscriptions: Sequence[str]
    error: str | None

    @property
    def sentence(self) -> str:
        """The cause in a line: how many subscriptions, why, and their names."""
        names = list_some(list(map(printable, self.subscriptions)), NAMED)
        why = describe_failure(self.outcome, self.http_status, self.error_code)
        entry = f" [{self.failure}]" if self.failure else ""
        return f"{count_subscriptions(len(self.subscriptions))} {why}: {names}{entry}"

    @property
    def resolution(self) -> str | None:
        """What to do about it; before that, where no outcome or code of Azure's says it, what happened to the first."""
        if self.error is None:
            return None
        todo = resolution_of(self.error)
        if self.error_code is not None and self.outcome != Outcome.FAILED:
            return printable(todo)
        what = self.error.removesuffix(todo).strip()
        if len(what) > SAID:
            what = f"{what[:SAID].rpartition(' ')[0]} …"
        return printable(f"{what} {todo}".strip())


def describe_failure(outcome: str, http_status: int | None, error_code: str | None) -> str:
    """Return in a few words why something could not be read, such as `forbidden (403 AuthorizationFailed)`."""
    answer = " ".join(str(part) for part in (http_status, error_code) if part is not None)
    return f"{Outcome(outcome).words}{f' ({printable(answer)})' if answer else ''}"


def read_coverage(connection: duckdb.DuckDBPyConnection) -> Coverage:
    """Return how the newest sync of each feed left its subscriptions."""
    return count_results(
        result for (result,) in connection.execute("select result from posture.read_results").fetchall()
    )


def list_unread_causes(connection: duckdb.DuckDBPyConnection, sync_id: str | None = None) -> list[Cause]:
    """Return why subscriptions could not be read in the newest sync of each feed, the cause of most of them first.

    Args:
        connection: open for reading.
        sync_id: of this sync only, where it is its feed's newest one; None: of every feed's.
    """
    found = execute(connection, load_sql("posture/list_unread_causes"), {"sync_id": sync_id}).fetchall()
    return [Cause(*row) for row in found]
