"""The weekly briefing: the score, what moved it, and what to do first."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import duckdb

from secscore_pipeline.alerts.alert import Alert
from secscore_pipeline.posture.changes import ScoreMove, explain_moves
from secscore_pipeline.posture.steps import STEPS, Step, list_steps
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.text import count_subscriptions, list_some, printable
from secscore_pipeline.warehouse.statements import select_rows

Row = dict[str, Any]

MOVED = 3
"""How many of the causes of a move a briefing names."""

NAMED = 3
"""How many subscriptions and owners of a step it names."""


def write_briefing(connection: duckdb.DuckDBPyConnection, due: datetime) -> Alert | None:
    """Return the briefing of a week: score, change, what moved it, and what to do first; None without a score.

    Args:
        connection: open for reading.
        due: when it was due, UTC: there is one briefing for it.
    """
    days = select_rows(connection, load_sql("posture/list_daily_scores"), {})
    if not days:
        return None
    trends: dict[str, list[Row]] = {}
    for day in days:
        trends.setdefault(day["tenant_id"], []).append(day)
    moves = explain_moves(connection, trends)
    steps = list_steps(connection, resources=0)
    controls = select_rows(connection, load_sql("posture/list_controls"), {})
    lines: list[str] = []
    for tenant_id, move in moves.items():
        lines += _describe_move(move)
        first = [step for step in steps if step.tenant_id == tenant_id]
        lines += _describe_steps(first) if first else _describe_controls(controls, tenant_id)
    newest = max(day["day"] for day in days)
    advice = "`secscore report` has all of it, resource by resource."
    return Alert(f"briefing/{due:%Y-%m-%dT%H:%MZ}", "briefing", f"Secure score, {newest}", tuple(lines), advice)


def _describe_move(move: ScoreMove) -> Iterator[str]:
    """Say a tenant's score, its change in seven days, and the causes that moved it most, in percentage points."""
    moved = f", {move.points:+.2f} percentage points in 7 days" if move.has_week else ""
    yield f"Tenant {move.last['tenant_id']}: {100 * move.last['percentage']:.2f} %{moved}"
    for cause in sorted(move.causes, key=lambda cause: -abs(cause["points"]))[:MOVED]:
        if cause["control_id"] is None:
            yield f"Moved: subscriptions and their weights, {cause['points']:+.2f} percentage points"
        else:
            subscriptions = count_subscriptions(cause["subscriptions"])
            control = printable(cause["control"])
            yield f"Moved: {control}, {cause['points']:+.2f} percentage points in {subscriptions}"


def _describe_steps(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        resources = f"{step.gaining_resources} {'resource' if step.gaining_resources == 1 else 'resources'}"
        names = list_some([printable(one.name) for one in step.subscriptions], NAMED)
        owners = list_some(list(map(printable, step.owners)), NAMED)
        yield (
            f"Do this first, {step.rank}: {printable(step.recommendation)} ({printable(step.control)}), "
            f"{step.gain:+.2f} percentage points, effort {printable(step.effort or 'not stated')}: "
            f"{resources} in {names}{f'; owner {owners}' if owners else ''}"
        )


def _describe_controls(controls: Sequence[Row], tenant_id: str) -> list[str]:
    """Name the controls with the largest potential increase, where no recommendations are read."""
    return [
        f"Potential increase: {printable(row['control'])}, {row['potential_increase']:.2f} points by "
        f"{row['unhealthy_resources']} resources in {count_subscriptions(row['subscriptions'])}"
        for row in [row for row in controls if row["tenant_id"] == tenant_id][:STEPS]
    ]
