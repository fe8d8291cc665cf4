"""Samples whole `secscore sync` runs with py-spy: where their processor time goes, by part and by function.

What holds Python's lock uses a processor, and so does the main thread where it waits for DuckDB. py-spy takes many
threads that only wait for busy ones, so each of the two is sampled by itself, in a run of its own.
"""

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

SQL = re.compile(r"secscore_pipeline/warehouse/\w+\.py")

PLUMBING = {"warehouse/statements", "warehouse/transactions", "cli/__main__", "cli/group"}

Stack = tuple[str, ...]
"""Functions with their files and lines, the outermost first."""


def profile_sync(environment: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Sample two syncs; return the number of samples, each part's share in percent, and the functions."""
    in_python = record(environment, folder / "python", "--gil")
    in_all = record(environment, folder / "all", "--threads")
    in_sql = {stack[1:]: count for stack, count in in_all.items() if waits_for_sql(stack)}
    stacks = in_python + Counter(in_sql)
    total = stacks.total()
    parts: Counter[str] = Counter()
    for stack, count in stacks.items():
        parts[find_part(stack)] += count
    return {
        "samples": total,
        "parts": {part: round(100 * count / total, 1) for part, count in parts.most_common()},
        "functions": list_functions(stacks),
    }


def record(environment: Mapping[str, str], folder: Path, option: str) -> Counter[Stack]:
    """Sample a sync into a new store with an option of py-spy; return how often each stack was seen."""
    folder.mkdir()
    spy = find_environment(HERE / "py-spy.txt") / "bin" / "py-spy"
    samples = folder / "samples.txt"
    options = ["--nonblocking", option, "--format", "raw", "--rate", str(RATE), "--output", str(samples)]
    settings = write_settings(environment, folder / STORE)
    command = [str(spy), "record", *options, "--", *SECSCORE, "sync"]
    subprocess.run(command, check=True, cwd=folder, env=settings, capture_output=True)
    return Counter(dict(read_samples(samples)))


def waits_for_sql(stack: Stack) -> bool:
    """Return whether a stack, after the name of its thread, is the main thread's in a function that calls DuckDB."""
    return "MainThread" in stack[0] and bool(SQL.search(stack[-1]))


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
