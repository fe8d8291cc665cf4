"""What moved a tenant's score in a week, in percentage points that add up to the move of the score.

The report and the briefing both ask here, so that they agree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import duckdb

from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.statements import select_rows

Row = dict[str, Any]

WEEK = timedelta(days=7)

PARTS = ("fixes", "resources", "maximum", "controls")
"""What the move of a control is made of: the `points_by_` of a cause."""


@dataclass(frozen=True)
class ScoreMove:
    """The move of a tenant's score from one day to another, and what moved it.

    Attributes:
        first, last: the two days, as rows of its trend.
        causes: a row of list_changes.sql each, with its `points`, which add up to those of the score, and the
            `points_by_…` that these are made of. The last one, with no control, is what no control explains; it is left
            out where there is nothing of it.
    """

    first: Row
    last: Row
    causes: list[Row]

    @property
    def points(self) -> float:
        """The move in percentage points, with two digits: the difference of the two percentages as they are shown."""
        return (_to_hundredths(self.last) - _to_hundredths(self.first)) / 100

    @property
    def has_week(self) -> bool:
        """Whether the first day is a week or more before the last one; else it is the first day of all."""
        return bool(self.last["day"] - self.first["day"] >= WEEK)


def explain_moves(connection: duckdb.DuckDBPyConnection, trends: Mapping[str, Sequence[Row]]) -> dict[str, ScoreMove]:
    """Return what moved the score of each tenant in the week up to its newest day.

    Args:
        connection: open for reading.
        trends: of each tenant, its rows of list_daily_scores.sql, oldest first; one without rows has no move.
    """
    periods = {tenant_id: (_find_first_day(trend), trend[-1]) for tenant_id, trend in trends.items() if trend}
    if not periods:
        return {}
    asked = {
        "tenants": list(periods),
        "first_days": [first["day"] for first, _ in periods.values()],
        "last_days": [last["day"] for _, last in periods.values()],
    }
    rows = select_rows(connection, load_sql("posture/list_changes"), asked)
    return {
        tenant_id: ScoreMove(first, last, _round_causes(first, last, [r for r in rows if r["tenant_id"] == tenant_id]))
        for tenant_id, (first, last) in periods.items()
    }


def _find_first_day(trend: Sequence[Row]) -> Row:
    """Return the newest day that is a week or more before the last one; the first of all where there is none."""
    before = [day for day in trend if trend[-1]["day"] - day["day"] >= WEEK]
    return before[-1] if before else trend[0]


def _to_hundredths(day: Row) -> int:
    return round(10_000 * float(day["percentage"]))


def _round_causes(first: Row, last: Row, rows: Sequence[Row]) -> list[Row]:
    """Return the causes with `points`: their moves with two digits, so rounded that they add up to the score's move."""
    moved = _round_to_sum([row["move"] or 0 for row in rows], _to_hundredths(last) - _to_hundredths(first))
    causes = []
    for row, hundredths in zip(rows, moved, strict=True):
        parts = _round_to_sum([row[f"move_by_{part}"] or 0 for part in PARTS], hundredths)
        causes.append(
            {**row, "points": hundredths / 100}
            | {f"points_by_{part}": number / 100 for part, number in zip(PARTS, parts, strict=True)}
        )
    return [row for row in causes if row["control_id"] or row["points"] or _count_other_subscriptions(row)]


def _count_other_subscriptions(row: Row) -> int:
    return int(row["subscriptions_came"]) + int(row["subscriptions_went"])


def _round_to_sum(points: Sequence[float], total: int) -> list[int]:
    """Round percentage points to hundredths that add up to a total: those nearest to the next go the other way.

    >>> _round_to_sum([0.014, 0.014, -0.009], 2)
    [2, 1, -1]
    """
    numbers = [100 * one for one in points]
    rounded = [round(number) for number in numbers]
    off = total - sum(rounded)
    step = 1 if off > 0 else -1
    by_nearness = sorted(range(len(numbers)), key=lambda place: (rounded[place] - numbers[place]) * step)
    for count in range(abs(off) if numbers else 0):
        rounded[by_nearness[count % len(numbers)]] += step
    return rounded
