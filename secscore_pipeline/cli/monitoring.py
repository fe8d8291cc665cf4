"""The verdict of `secscore status --max-age` for a monitoring system, by the conventions of Nagios plugins."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Any

from secscore_pipeline.posture.freshness import describe_age
from secscore_pipeline.posture.status import Status

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class State(IntEnum):
    """The states and their exit codes. Source: the Monitoring Plugins guidelines."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@dataclass(frozen=True)
class Verdict:
    """The verdict for a monitoring system.

    Attributes:
        state: how bad it is.
        summary: one sentence.
        details: a sentence for each problem.
        performance: figures for graphs, as plugins give them.
    """

    state: State
    summary: str
    details: tuple[str, ...] = ()
    performance: str = ""

    @property
    def lines(self) -> list[str]:
        """The lines to print: first the state with the figures, then a line for each problem."""
        first, *others = (line.replace("|", "/").replace("\n", " ") for line in (self.summary, *self.details))
        figures = f" | {self.performance}" if self.performance else ""
        return [f"SECSCORE {self.state.name} - {first}{figures}", *others]

    @property
    def record(self) -> dict[str, Any]:
        """The same as an object for JSON."""
        return {"state": self.state.name, "exit_code": int(self.state), "summary": self.summary}


def parse_age(given: str) -> timedelta:
    """Return an age that is written as a number and a unit: 90m, 26h, 2d, 1w.

    Raises:
        ValueError: it is written otherwise, is nothing, or longer than ten years.
    """
    found = re.fullmatch(r"(\d{1,9})([smhdw])", given.strip(), re.ASCII)
    age = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta(0)
    if not timedelta(0) < age <= timedelta(days=3650):
        raise ValueError(f"{given!r} is no age. Write a number and s, m, h, d or w: 90m, 26h, 2d.")
    return age


def judge_status(found: Status, max_age: timedelta, database_bytes: int) -> Verdict:
    """Return the verdict on a status.

    CRITICAL: a feed has had no complete sync for longer than max_age, or never, or its last one is from the future.
    WARNING: something else wants attention. OK: neither.

    Args:
        found: the status, by the same max_age.
        max_age: how old the last complete sync of each feed may be.
        database_bytes: the size of the published database.
    """
    ages = [age for feed in found.freshness if (age := feed.age(found.as_of)) is not None]
    figures = " ".join(_format_figures(found, max_age, database_bytes))
    if found.overdue:
        return Verdict(State.CRITICAL, found.overdue[0].rstrip("."), tuple(found.attention[1:]), figures)
    if found.attention:
        return Verdict(State.WARNING, found.attention[0].rstrip("."), tuple(found.attention[1:]), figures)
    if len(ages) == 1:
        return Verdict(State.OK, f"the last complete sync was {describe_age(ages[0])} ago", (), figures)
    summary = f"each of {len(ages)} feeds had a complete sync within {describe_age(max(ages))}"
    return Verdict(State.OK, summary, (), figures)


def _format_figures(found: Status, max_age: timedelta, database_bytes: int) -> list[str]:
    """Return the figures as 'label'=value[unit];warn;crit;min;max."""
    limit = f"{max_age.total_seconds():.0f}"
    ages = [
        f"'age {_escape_label(feed.feed)}'={'U' if age is None else f'{age.total_seconds():.0f}s'};;{limit};0"
        for feed in found.freshness
        for age in [feed.age(found.as_of)]
    ]
    not_read = [
        f"'not read {_escape_label(row['feed'])}'={row['not_read']};0;;0;{row['subscriptions']}" for row in found.feeds
    ]
    return [*ages, *not_read, f"'database size'={database_bytes}B;;;0"]


def _escape_label(text: str) -> str:
    """Return a text as it may stand in the label of a figure."""
    return re.sub(r"[^\w.-]", "_", text)
