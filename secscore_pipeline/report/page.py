"""Makes the report: asks the store, draws the charts, fills in the page."""

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from importlib.metadata import version
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
from markupsafe import Markup

from secscore_pipeline.posture.changes import ScoreMove, explain_moves
from secscore_pipeline.posture.coverage import NAMED, Coverage, count_results
from secscore_pipeline.posture.steps import Step, list_steps
from secscore_pipeline.report.charts import build_trend_chart, draw_small_trend
from secscore_pipeline.report.formats import build_environment, pluralize
from secscore_pipeline.system.files import replace_file
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.statements import select_rows

Row = dict[str, Any]

EVENTS = 6
"""How many of the days that moved a score most the chart names."""

LEFT = 20
"""How many of the subscriptions that left the scope it names."""

CONTROLS = 10
"""How many controls the chart shows; the table has them all."""

NOTEWORTHY = 0.001
"""From which move of the score (percentage) a day is worth naming."""


@dataclass(frozen=True)
class Tenant:
    """What the report says of one tenant; percentages are 0..1.

    Attributes:
        days: its trend, a row a day, oldest first.
        events: the days that moved its score most, with their numbers in the chart and what moved it.
        steps: what to do first; none where no assessments are read.
        move: what moved its score in a week; None while nothing is scored.
        subscriptions, controls, gaps, left: a row each, in the order in which they are shown.
    """

    tenant_id: str
    cloud: str
    days: list[Row]
    events: list[Row]
    steps: list[Step]
    move: ScoreMove | None
    subscriptions: list[Row]
    controls: list[Row]
    gaps: list[Row]
    left: list[Row]

    @property
    def newest(self) -> Row | None:
        """The newest day of its trend; None while nothing is scored."""
        return self.days[-1] if self.days else None

    def change_since(self, days: int) -> float | None:
        """Return how much its score has moved in that many days, as a percentage; None where that is not known."""
        if not self.days:
            return None
        then = self.days[-1]["day"] - timedelta(days=days)
        before = [day for day in self.days if day["day"] <= then]
        moved: float | None = self.days[-1]["percentage"] - before[-1]["percentage"] if before else None
        return moved

    @cached_property
    def trend(self) -> dict[str, Any]:
        """The chart of its trend."""
        return build_trend_chart(self.days, self.events)

    @property
    def coverage(self) -> Coverage:
        """How many of its subscriptions were read last."""
        return count_results(row["result"] for row in self.subscriptions)


@dataclass(frozen=True)
class Report:
    """The whole report.

    Attributes:
        made_at: when it was made, UTC.
        source: where the data comes from (see report_source.sql).
        tenants: those with subscriptions that are looked at.
    """

    made_at: datetime
    source: Row
    tenants: list[Tenant]

    @property
    def is_simulated(self) -> bool:
        """Whether some of the data is a local Azure's."""
        return any(cloud.startswith(("localhost", "127.")) for cloud in self.source["clouds"] or [])

    def page(self) -> str:
        """Return the report as one HTML document that asks for nothing else."""
        style, script = (_part(name) for name in ("report.css", "report.js"))
        template = build_environment().from_string(_part("report.html.j2"))
        return template.render(
            report=self,
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            style_hash=_hash(style),
            script_hash=_hash(script),
            version=version("secscore_pipeline"),
            controls_shown=CONTROLS,
            left_shown=LEFT,
            subscriptions_named=NAMED,
        )


def read_report(connection: duckdb.DuckDBPyConnection, made_at: datetime) -> Report:
    """Ask the store for everything that the report says.

    Args:
        connection: open for reading.
        made_at: the present, UTC.
    """
    source = select_rows(connection, load_sql("report/describe_source"), {})[0]
    days = select_rows(connection, load_sql("posture/list_daily_scores"), {})
    newest = days and max(day["day"] for day in days)
    asked = {"day": newest or made_at.date(), "made_on": made_at.date()}
    parts = {
        name: select_rows(connection, load_sql(file), asked)
        for name, file in {
            "subscriptions": "report/list_subscriptions",
            "controls": "posture/list_controls",
            "gaps": "report/list_gaps",
            "left": "report/list_left_subscriptions",
        }.items()
    }
    trends = _by_tenant(days)
    steps = list_steps(connection)
    weeks = explain_moves(connection, trends)
    moves = {tenant_id: _find_moves(trend) for tenant_id, trend in trends.items()}
    moved_on = sorted({move["day"] for found in moves.values() for move in found})
    causes = {
        (cause["tenant_id"], cause["day"], cause["is_upwards"]): cause
        for cause in select_rows(connection, load_sql("report/list_causes"), {"days": moved_on})
    }
    tenant_ids = sorted({row["tenant_id"] for row in [*days, *parts["subscriptions"], *parts["left"]]})
    tenants = []
    for tenant_id in tenant_ids:
        trend = trends.get(tenant_id, [])
        events = [
            {
                **move,
                "number": number,
                "says": _describe_cause(move, causes.get((tenant_id, move["day"], move["percentage_change"] > 0))),
            }
            for number, move in enumerate(moves.get(tenant_id, []), 1)
        ]
        mine = {name: [row for row in rows if row["tenant_id"] == tenant_id] for name, rows in parts.items()}
        cloud = trend[-1]["cloud_partition"] if trend else ""
        first = [step for step in steps if step.tenant_id == tenant_id]
        tenants.append(Tenant(tenant_id, cloud, trend, events, first, weeks.get(tenant_id), **mine))
    return Report(made_at, source, tenants)


_MARKS = ('<meta name="generator" content="secscore_pipeline report">', "<title>Azure secure score, ")
"""What a report has at its beginning; those of older versions have the title only."""


def write_report(report: Report, path: Path) -> int:
    """Write the report to a file in one step, for its owner alone; return its size in bytes.

    Raises:
        FileError: something else than a report is there, or it cannot be written.
    """
    replace_file(path, report.page(), _MARKS, "report-unwritable")
    return path.stat().st_size


def draw_trend(report: Report) -> str | None:
    """Return the trend of the tenant's score as a small SVG; None where there is none yet, or several tenants."""
    days = report.tenants[0].days if len(report.tenants) == 1 else []
    return draw_small_trend(days) if len(days) > 1 else None


def _by_tenant(days: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for day in days:
        found.setdefault(day["tenant_id"], []).append(day)
    return found


def _find_moves(trend: Sequence[Row]) -> list[Row]:
    """Return the days that moved a score most, oldest first, each with the move and the subscriptions that came."""
    moves = [
        {
            **day,
            "percentage_change": day["percentage"] - before["percentage"],
            "came": day["subscriptions"] - before["subscriptions"],
        }
        for before, day in pairwise(trend)
    ]
    largest = sorted(moves, key=_size, reverse=True)[:EVENTS]
    return sorted((move for move in largest if _size(move) >= NOTEWORTHY), key=_day)


def _size(move: Row) -> float:
    return abs(float(move["percentage_change"]))


def _day(move: Row) -> date:
    day: date = move["day"]
    return day


def _describe_cause(move: Row, cause: Row | None) -> str:
    """Say in words what moved a score on a day."""
    said = []
    if move["came"]:
        count = abs(move["came"])
        said.append(f"{count} {pluralize('subscription', count)} {'came' if move['came'] > 0 else 'went'}")
    if cause:
        fixed = int(cause["resources_fixed"] or 0)
        how = (
            f", {abs(fixed)} {pluralize('resource', abs(fixed))} {'fixed' if fixed > 0 else 'broken'}" if fixed else ""
        )
        said.append(f"most by {cause['control']}{how}")
    return "; ".join(said) or "no single control explains it"


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def resolve_report_path(given: str) -> Path:
    """Return the report's absolute path; `~` is the home directory."""
    return Path(os.path.expanduser(given)).absolute()  # noqa: PTH111 - a name that has no home stays as it is
