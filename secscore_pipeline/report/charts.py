"""The report's charts: described with Vega-Altair, drawn to SVG or PNG without a browser or a network."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import vl_convert

from secscore_pipeline.text import printable

_FONT = "system-ui, sans-serif"
_WIDTH = 760
_ROOM = {"left": 24, "right": 24, "top": 5, "bottom": 5}
"""What a page's font may need more than the one that the texts were measured with."""


def build_trend_chart(days: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Describe the trend of a tenant's score.

    Args:
        days: `day` (date) and `percentage` (0..1), oldest first.
        events: `day`, `percentage` and `number` of each day on which something moved it.

    Returns:
        A Vega-Lite specification.
    """
    points = [{"day": day["day"].isoformat(), "percent": 100 * day["percentage"]} for day in days]
    marks = [
        {"day": event["day"].isoformat(), "percent": 100 * event["percentage"], "number": str(event["number"])}
        for event in events
    ]
    x = alt.X("day:T", title=None, axis=alt.Axis(format="%d %b", tickCount=6, grid=False))
    axis = alt.Axis(format=".1f", tickCount=5, orient="right")  # beside the newest day, which a narrow page shows
    y = alt.Y("percent:Q", title=None, scale=alt.Scale(zero=False, nice=True), axis=axis)
    lines = alt.Chart(alt.InlineData(points)).encode(x=x, y=y)
    line = lines.mark_line(strokeWidth=2.5, color="var(--accent)", point=len(points) == 1)
    here = alt.Chart(alt.InlineData(marks)).encode(x=x, y=y)
    dots = here.mark_circle(size=280, color="var(--card)", stroke="var(--accent)", strokeWidth=1.5, opacity=1)
    numbers = here.mark_text(fontSize=11, fontWeight=600, color="var(--text)", baseline="middle").encode(
        text="number:N"
    )
    return _style_chart(alt.layer(line, dots, numbers).properties(width=_WIDTH, height=220))


def build_controls_chart(controls: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Describe the potential increase by control: `control` and `potential_increase`, most first."""
    values = [
        {"control": printable(str(control["control"])), "points": control["potential_increase"]} for control in controls
    ]
    bars = alt.Chart(alt.InlineData(values)).encode(
        y=alt.Y("control:N", sort=None, title=None, axis=alt.Axis(labelLimit=300, ticks=False, domain=False)),
        x=alt.X("points:Q", title=None, axis=None),
    )
    labels = bars.mark_text(align="left", dx=6, color="var(--text)").encode(text=alt.Text("points:Q", format=".1f"))
    bar = bars.mark_bar(color="var(--accent)", cornerRadiusEnd=3, size=16)
    return _style_chart(alt.layer(bar, labels).properties(width=_WIDTH - 300, height=alt.Step(28)))


def render_svg(chart: Mapping[str, Any], name: str = "chart") -> str:
    """Draw a chart as SVG whose colours are the custom properties of the page it stands in; `name` is its own there."""
    drawn = str(vl_convert.vegalite_to_svg(dict(chart)))
    return re.sub(r"\bclip(\d+)\b", rf"{name}-clip\1", drawn)


SMALL_POINTS = 50
"""How many days the small picture of a trend shows at most."""


def draw_small_trend(days: Sequence[Mapping[str, Any]]) -> str:
    """Draw the trend of a score as an SVG of well below 1,000 characters, with colours of its own.

    Dagster's UI shows Markdown where it stands, and not behind a link, up to that length only.

    Args:
        days: `day` (date) and `percentage` (0..1), oldest first; where they are many, evenly picked ones are drawn.
    """
    shown = days[:: -len(days) // SMALL_POINTS][::-1]  # from the newest backwards
    percents = [100 * day["percentage"] for day in shown]
    low, high = min(percents), max(percents)
    spread = max(high - low, 0.1)
    points = " ".join(
        f"{48 + 284 * number / max(len(percents) - 1, 1):.0f},{88 - 76 * (percent - low) / spread:.0f}"
        for number, percent in enumerate(percents)
    )
    return (
        "<svg xmlns='http://www.w3.org/2000/svg' width='340' height='112' style='background:#fff' font-size='11' "
        "font-family='sans-serif' fill='#555'><path d='M48 12h284M48 88h284' stroke='#ddd'/>"
        f"<text x='4' y='16'>{high:.1f} %</text><text x='4' y='92'>{low:.1f} %</text>"
        f"<text x='48' y='106'>{shown[0]['day']}</text>"
        f"<text x='332' y='106' text-anchor='end'>{shown[-1]['day']}</text>"
        f"<polyline points='{points}' fill='none' stroke='#2563eb' stroke-width='2'/></svg>"
    )


def _style_chart(chart: alt.LayerChart | alt.FacetChart) -> dict[str, Any]:
    axis = alt.AxisConfig(
        labelColor="var(--muted)",
        labelFontSize=12,
        gridColor="var(--line)",
        domainColor="var(--line)",
        tickColor="var(--line)",
    )
    view = alt.ViewConfig(stroke=None)
    described: dict[str, Any] = chart.configure(
        background="transparent", font=_FONT, axis=axis, view=view, padding=_ROOM
    ).to_dict()
    return described
