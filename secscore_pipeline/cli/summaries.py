"""Tables of scores and opportunities, the trend and the coverage, as `sync` and `demo` print them."""

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from secscore_pipeline.cli.console import console
from secscore_pipeline.cli.database import select_named
from secscore_pipeline.text import list_some, printable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAIN_SCORE = "ascScore"
"""The score that totals count: Defender for Cloud gives a subscription others beside it."""

_WIDE = 120
"""From how many columns a terminal has room for IDs and names."""

_BARS = "▁▂▃▄▅▆▇█"

_OTHER_SCORES = (
    "a second score that Azure gives {n} of these subscriptions, where governance rules grant a grace period. It is "
    "stored; totals count ascScore only."
)


def print_coverage(connection: "DuckDBPyConnection") -> None:
    """Print how many subscriptions the newest sync of each feed read."""
    from secscore_pipeline.posture.coverage import read_coverage

    console.print(f"{read_coverage(connection).sentence}.")


def print_scores(connection: "DuckDBPyConnection", limit: int = 20) -> None:
    """Print the lowest scores and what their status means; of other scores than the main one only the names."""
    found = select_named(connection, "posture/list_scores", {"limit": None})
    scores = [row for row in found if row["score"] == MAIN_SCORE] or found
    which = f"the lowest {limit} of {len(scores)}" if len(scores) > limit else "lowest first"
    table = Table(title=f"Secure scores, {which}", title_justify="left", padding=(0, 1, 0, 0), box=None)
    has_names = any(row["subscription_name"] for row in scores)
    id_length = 8 if has_names and console.width < _WIDE else 36  # beside a name, the beginning of an ID will do
    table.add_column("Subscription", min_width=id_length, no_wrap=True)
    if has_names:
        table.add_column("Name", overflow="ellipsis", no_wrap=True)
    for name in ("Points", "Percent", "Status", "Score"):
        table.add_column(name, justify="right" if name in ("Points", "Percent") else "left", no_wrap=True)
    for row in scores[:limit]:
        percent = "–" if row["percentage"] is None else f"{100 * row['percentage']:.2f} %"
        points = "–" if None in (row["current"], row["max"]) else f"{row['current']:g} / {row['max']:g}"
        names = [row["subscription_name"] or ""] if has_names else []
        cells = (row["subscription_id"][:id_length], *names, points, percent, row["status"], str(row["score"]))
        table.add_row(*(Text(printable(cell)) for cell in cells))
    console.print(table)
    if any(row["status"] == "Fail" for row in scores):
        console.print("Fail: less than 100 %, so the score can be increased. Pass: 100 %.")
    others = sorted({row["score"] for row in found} - {row["score"] for row in scores})
    if others:
        console.print(f"{', '.join(map(printable, others))}: {_OTHER_SCORES.format(n=len(found) - len(scores))}")


def print_trend(connection: "DuckDBPyConnection") -> None:
    """Print the tenants' score day by day as a line of bars between the lowest and the highest."""
    days = [row for row in select_named(connection, "posture/list_tenant_trend") if row["percent"] is not None]
    if len(days) < 2:
        return
    percents = [float(row["percent"]) for row in days]
    low, high = min(percents), max(percents)
    step = -(-len(percents) // (console.width - 2))  # days for each bar, the last day among them
    shown = percents[::-1][::step][::-1]
    heights = (round((percent - low) / ((high - low) or 1) * (len(_BARS) - 1)) for percent in shown)
    first, last = (f"{row['day']} ({row['percent']:.2f} %)" for row in (days[0], days[-1]))
    console.print(f"\nScore from {first} to {last}")
    console.print("".join(_BARS[height] for height in heights))
    console.print(f"lowest {low:.2f} %, highest {high:.2f} %\n")


def print_opportunities(connection: "DuckDBPyConnection", limit: int = 5) -> None:
    """Print the controls with the highest potential score increase."""
    table = Table(title="Controls with the highest potential increase", title_justify="left")
    for name in ("Control", "Points", "Unhealthy resources", "Subscriptions"):
        table.add_column(name, justify="left" if name == "Control" else "right")
    for row in select_named(connection, "posture/list_opportunities", {"limit": limit}):
        numbers = (f"{row['potential_increase']:.2f}", f"{row['unhealthy_resources']:g}", f"{row['subscriptions']}")
        table.add_row(Text(printable(str(row["control"]))), *numbers)
    console.print(table)


def print_first_step(connection: "DuckDBPyConnection") -> None:
    """Print what to do first; nothing where no assessments are read."""
    from secscore_pipeline.posture.steps import list_steps

    for step in list_steps(connection, most=1, resources=0):
        resources = f"{step.gaining_resources} {'resource' if step.gaining_resources == 1 else 'resources'}"
        names = list_some([printable(one.name) for one in step.subscriptions], 3)
        effort = printable(step.effort or "not stated")
        what = f"Do this first: {printable(step.recommendation)} ({resources} in {names})"
        console.print(Text(f"{what}: {step.gain:+.2f} percentage points, effort {effort}."))
