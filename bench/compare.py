"""Compares the working tree with another commit: whole syncs of both by turns, against one local Azure; prints a table.

Both run with this environment's interpreter and packages. The other commit's files are kept in .bench/.
"""

import argparse
import io
import subprocess
import sys
import tarfile
from pathlib import Path

from bench.contenders import Contender, compare, make_sync
from bench.groups import LATENCY, PAGE, RECOMMENDATIONS, SCORES, make_large_world
from bench.processes import KEPT, ROOT, Measures, compile_package, local_azure
from bench.tables import make_table
from secscore_pipeline.azure.event_types import EventType

THIS, BASE = "this tree", "base"

ROWS = {
    "wall time, s": "wall_s",
    "processor time, s": "cpu_s",
    "memory, MB": "peak_mb",
    "published database, MB": "store_mb",
}


def extract_commit(commit: str) -> Path:
    """Return a folder with the files of a commit."""
    parse = ["git", "rev-parse", "--verify", f"{commit}^{{commit}}"]
    found = subprocess.run(parse, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    folder = KEPT / found
    if not folder.exists():
        KEPT.mkdir(exist_ok=True)
        archive = subprocess.run(["git", "archive", found], cwd=ROOT, check=True, capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
    return folder


def make_contender(name: str, tree: Path, event_types: tuple[EventType, ...]) -> Contender:
    """Return the sync of a tree; its package goes before the installed one.

    Raises:
        SystemExit: another package would be measured.
    """
    compile_package(tree)
    path = {"PYTHONPATH": str(tree)}
    program = "import secscore_pipeline; print(secscore_pipeline.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=KEPT, env=path, check=True, capture_output=True, text=True
    )
    if not Path(found.stdout.strip()).is_relative_to(tree):
        raise SystemExit(f"{found.stdout.strip()} would be measured instead of {tree}.")
    return Contender(name, name, make_sync(event_types, path))


def describe(name: str, ours: Measures, base: Measures) -> list[str]:
    """Return the row of a measure: this tree, the base, and their ratio."""
    key = ROWS[name]
    return [name, f"{ours[key]:.2f}", f"{base[key]:.2f}", f"{ours[key] / base[key]:.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", help="the other commit: anything that git knows as one")
    parser.add_argument("--subscriptions", type=int, default=1000, help="of the tenant (default: 1000)")
    parser.add_argument("--assessments", type=int, help="read so many of each subscription too, in pages of 100")
    parser.add_argument("--latency", type=float, default=LATENCY, help="seconds before each answer (default: 0.05)")
    parser.add_argument("--runs", type=int, default=5, help="of each (default: 5)")
    given = parser.parse_args()
    base = extract_commit(given.base)
    event_types = RECOMMENDATIONS if given.assessments else SCORES
    contenders = [make_contender(BASE, base, event_types), make_contender(THIS, ROOT, event_types)]
    world = make_large_world(given.subscriptions, given.assessments)
    with local_azure(world, given.latency, PAGE if given.assessments else None) as azure:
        found = compare(azure, contenders, given.runs)
    ours, theirs = found[THIS][THIS], found[BASE][BASE]
    header = (f"medians of {given.runs}", THIS, f"{given.base} ({base.name[:9]})", "ratio")
    print("\n".join(make_table(header, [describe(name, ours, theirs) for name in ROWS])))


if __name__ == "__main__":
    main()
