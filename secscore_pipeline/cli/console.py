"""Where the command line prints, and how it marks problems and the states of steps."""

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from secscore_pipeline.text import printable

# Names and messages are never markup, whatever they hold.
_PLAIN: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}

console = Console(**_PLAIN)
"""For progress and summaries; --quiet silences it."""

result_console = Console(**_PLAIN)
"""For what the user asked for; --quiet does not silence it."""

error_console = Console(stderr=True, **_PLAIN)
"""For problems, warnings and hints."""

MARKS = {"passed": ("✓", "green"), "warned": ("○", "yellow"), "failed": ("✗", "red")}
"""The mark and the color of each state of a step."""


def print_error(message: str) -> None:
    """Print what failed."""
    error_console.print(Text(f"✗ {message}", style="red"), soft_wrap=True)


def print_warning(message: str, style: str = "yellow") -> None:
    """Print what does not keep a command from going on."""
    error_console.print(Text(f"! {message}", style=style), soft_wrap=True)


def print_hint(message: str) -> None:
    """Print what may help, beside the results."""
    error_console.print(Text(message, style="dim"), soft_wrap=True)


def mark_line(state: str, line: str) -> Text:
    """Return a line about a step with the mark of its state."""
    mark, style = MARKS[state]
    return Text(f"{mark} {printable(line)}", style=style)


def format_json(record: Mapping[str, object]) -> str:
    """Return an object as indented JSON."""
    return f"{json.dumps(record, indent=2, default=str, ensure_ascii=False)}\n"
