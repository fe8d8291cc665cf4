"""How the report writes numbers, moments and texts, and the environment of its template."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from secscore_pipeline.azure.errors import Outcome
from secscore_pipeline.errors import resolution_of
from secscore_pipeline.ingest.scope import Reason
from secscore_pipeline.posture.coverage import describe_failure
from secscore_pipeline.report.charts import build_controls_chart, render_svg
from secscore_pipeline.text import printable

Row = dict[str, Any]


def pluralize(word: str, count: int) -> str:
    """Return a word as it is counted: `resource` of one, `resources` of any other number."""
    return word if count == 1 else f"{word}s"


def _percent(percentage: float | None) -> str:
    return "no score" if percentage is None else f"{100 * percentage:.2f} %"


def _format_move(percentage: float | None) -> str:
    """Say a move of the score in percentage points."""
    if percentage is None:
        return "not known"
    rounded = round(100 * percentage, 2)
    return "unchanged" if rounded == 0 else f"{rounded:+.2f} pp".replace("-", "−")


def _format_signed(number: float | None) -> str:
    rounded = round(number or 0, 2)
    return "" if rounded == 0 else f"{rounded:+.2f}".replace("-", "−")


def _format_points(points: float) -> str:
    """Say percentage points of the score with two digits."""
    return "< 0.01 pp" if 0 < points < 0.005 else f"{points:+.2f} pp".replace("-", "−")


def _describe_gap(failure: Mapping[str, Any] | None) -> str:
    """Say in a sentence why a subscription could not be read, and what to do; not which request failed."""
    if failure is None:
        return ""
    why = describe_failure(failure["outcome"], failure["http_status"], failure["error_code"])
    return f"{why[:1].upper()}{why[1:]}. {printable(resolution_of(failure['error'] or ''))}"


def _to_lines(text: str) -> str:
    """Return a text of several lines as it may be shown; its line ends and blanks stay."""
    return "\n".join(map(printable, text.splitlines()))


def _moment(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"


def _to_text(text: object) -> str:
    return "" if text is None else printable(str(text))


def _outcome(code: str) -> str:
    return Outcome(code).words


def _reason(code: str) -> str:
    return Reason(code).words


def _days(gap: Row) -> str:
    """Say how many days a subscription misses; one that was never read misses all since the first try."""
    if gap["last_complete_at"] is not None:
        return str(gap["days_missed"])
    return f"never read in {gap['days_unreadable']} {pluralize('day', gap['days_unreadable'])}"


def _svg(chart: Mapping[str, Any], name: str) -> Markup:
    return Markup(render_svg(chart, name))  # noqa: S704 - the library escapes every text in it


def build_environment() -> Environment:
    """Return the environment of the report's template: its filters, and no variable that it may leave undefined."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "percent": _percent,
        "moved": _format_move,
        "signed": _format_signed,
        "points": _format_points,
        "gap": _describe_gap,
        "lines": _to_lines,
        "moment": _moment,
        "shown": _to_text,
        "outcome": _outcome,
        "reason": _reason,
        "days": _days,
        "svg": _svg,
        "plural": pluralize,
    }
    environment.globals["controls_chart"] = build_controls_chart
    return environment
