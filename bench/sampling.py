"""Samples a whole `secscore sync` with py-spy: where its processor time goes, by part and by function."""

import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.contenders import HERE
from bench.processes import SECSCORE, STORE, find_environment, write_settings

RATE = 200
"""Samples a second."""

LISTED = 50
"""How many functions are listed."""

FRAME = re.compile(r"^(?P<function>.*) \((?P<file>.*?)(?::(?P<line>\d+))?\)$")

OURS = re.compile(r"secscore_pipeline/(\w+/[\w/]+)\.py")

PLUMBING = {"warehouse/statements", "warehouse/transactions", "cli/__main__", "cli/group"}

Stack = tuple[str, ...]
"""Functions with their files and lines, the outermost first."""


def profile_sync(environment: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Sample a sync into a new store; return the number of samples, each part's share in percent, and the functions.

    Threads that wait for something are not sampled, so this is processor time.
    """
    spy = find_environment(HERE / "py-spy.txt") / "bin" / "py-spy"
    samples = folder / "samples.txt"
    command = [str(spy), "record", "--format", "raw", "--rate", str(RATE), "--output", str(samples), "--"]
    settings = write_settings(environment, folder / STORE)
    subprocess.run([*command, *SECSCORE, "sync"], check=True, cwd=folder, env=settings, capture_output=True)
    stacks = Counter(dict(read_samples(samples)))
    total = stacks.total()
    parts: Counter[str] = Counter()
    for stack, count in stacks.items():
        parts[find_part(stack)] += count
    return {
        "samples": total,
        "parts": {part: round(100 * count / total, 1) for part, count in parts.most_common()},
        "functions": list_functions(stacks),
    }


def read_samples(path: Path) -> Iterator[tuple[Stack, int]]:
    """Yield each stack, and how often it was seen."""
    for line in path.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        yield tuple(stack.split(";")) if stack else ("(a thread without a Python function)",), int(count)


def find_part(stack: Stack) -> str:
    """Return the part of the work that a stack belongs to: imports, the innermost module of ours, or Dagster.

    Modules that run the statements of others do not count.
    """
    if any("<frozen importlib" in frame for frame in stack):
        return "imports of modules"
    for frame in reversed(stack):
        if (found := OURS.search(frame)) and found[1] not in PLUMBING:
            return found[1]
        if re.search(r"\bdagster\w*/", frame):
            return "Dagster"
    return "other libraries"


def list_functions(stacks: Mapping[Stack, int]) -> list[str]:
    """Return a table of functions: the share of samples in them, with and without what they call, in percent."""
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for stack, count in stacks.items():
        functions = [FRAME.sub(r"\g<function> (\g<file>)", frame) for frame in stack]
        own[functions[-1]] += count
        for function in set(functions):
            total[function] += count
    samples = sum(stacks.values())
    orders = {"by their own time": own, "with what they call": total}
    lines = []
    for title, order in orders.items():
        lines += ["", f"Functions {title}", "", "  own %  total %  function"]
        for function, _ in order.most_common(LISTED):
            alone, in_all = (100 * counts[function] / samples for counts in (own, total))
            lines.append(f"{alone:>7.1f}  {in_all:>7.1f}  {function}")
    return lines
