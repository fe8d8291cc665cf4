"""Measures a sync against its limits and its peers, on this machine; prints tables, and writes them into the docs.

Every process runs against the same local Azure over TLS, one after the other, by turns; figures are medians. Peers do
the same reading, each in an environment of its own in .bench/, which is made when it is not there; so is a store with a
year of daily history, which takes a quarter of an hour. All groups but `huge` take about an hour.
"""

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from bench import groups
from bench.groups import Figures, Size
from bench.processes import ROOT, compile_package
from bench.tables import PAGE, keep, say, write_tables

GROUPS: dict[str, Callable[[Size], Figures]] = {
    "sync": groups.measure_reading,
    "many": groups.measure_many,
    "limits": groups.measure_limits,
    "faults": groups.measure_faults,
    "history": groups.measure_history,
    "normalizing": groups.measure_normalizing,
    "commands": groups.measure_commands,
    "assessments": groups.measure_assessments,
    "recommendations": groups.measure_recommendations,
    "profile": groups.measure_profile,
    "huge": groups.measure_huge,
}

ON_REQUEST = {"huge"}
"""Groups that are measured only where they are named."""


def describe_groups() -> str:
    """Return the lines of the help on the groups."""
    lines = (f"  {name:<12} {(measure.__doc__ or '').splitlines()[0]}" for name, measure in GROUPS.items())
    return "\n".join(["groups:", *lines, "", "make bench ONLY=sync measures one of them; ONLY='sync many' two."])


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.run", description=__doc__, epilog=describe_groups(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    size = Size()
    parser.add_argument("groups", nargs="*", metavar="GROUP", help="what to measure; default: all but huge")
    parser.add_argument("--subscriptions", type=int, default=size.subscriptions, help="of the tenant (default: 1000)")
    parser.add_argument("--assessments", type=int, default=size.assessments, help="of a subscription (default: 2000)")
    parser.add_argument("--runs", type=int, default=size.runs, help="of each process (default: 3)")
    parser.add_argument(
        "--write", action="store_true", help="keep the figures in bench/figures, and write docs/performance.md"
    )
    given = parser.parse_args()
    if unknown := set(given.groups) - set(GROUPS):
        parser.error(f"there is no group {', '.join(sorted(unknown))}: use {', '.join(GROUPS)}")
    size = Size(given.subscriptions, given.assessments, given.runs)
    compile_package(ROOT)
    for group in given.groups or [name for name in GROUPS if name not in ON_REQUEST]:
        print(f"{group}:", file=sys.stderr, flush=True)
        today = datetime.now(UTC).date().isoformat()
        found = {"measured": today, "subscriptions": size.subscriptions, "runs": size.runs, **GROUPS[group](size)}
        print("\n".join(say(group, found)), flush=True)
        if given.write:
            keep(group, found)
            PAGE.write_text(write_tables(PAGE.read_text()))


if __name__ == "__main__":
    main()
