"""Measures the pipeline against its limits and its peers, on this machine, in one run; prints a table or JSON.

Every process runs against the same local Azure, which takes 50 ms for each of its answers; figures are medians. Peers
do the same reading, each in an environment of its own (.bench/), which is made when it is not there; so is a store
with a year of daily history, which takes a quarter of an hour.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from processes import SECSCORE, Measures, files, local_azure, measure, measure_sync, medians, new_folder

HERE = Path(__file__).resolve().parent
KEPT = HERE.parent / ".bench"
PEERS = {"dlt": ("dlt_peer", "64"), "azure-mgmt-security": ("azure_sdk_peer", "16")}
"""Script, and how many threads it is fastest with here."""

FLOOR_CONNECTIONS = "64"

FAULTS = (
    "status:path=subscriptions,status=429,retry_after=1,share=0.03,seed=1",
    "status:path=subscriptions,status=503,share=0.02,seed=2",
    "status:path=subscriptions,status=500,body=<html>,share=0.01,seed=3",
    "reset:path=subscriptions,share=0.02,seed=4",
    "cut:path=subscriptions,position=500,share=0.01,seed=5",
    "gzip:path=subscriptions,share=0.01,seed=6",
    "handshake:share=0.1,seed=7",
)
"""What goes wrong with a tenth of the requests, and with a tenth of the connections."""

Rows = list[tuple[str, str, str]]


class Bench:
    """One run of the measurements; `found` has the figures, `rows` what the table says: measure, figure, limit."""

    def __init__(self, subscriptions: int, latency: float, runs: int, folder: Path) -> None:
        self.subscriptions, self.latency, self.runs, self.folder = subscriptions, latency, runs, folder
        self.found: dict[str, Any] = {"subscriptions": subscriptions, "latency_s": latency, "runs": runs}
        self.rows: Rows = []

    def repeat(self, run: Callable[[Path], Measures]) -> Measures:
        """Return the medians of as many runs as are wanted, each in a new folder."""
        return medians([run(new_folder(self.folder)) for _ in range(self.runs)])

    def report(self, name: str, figure: object, limit: str = "") -> None:
        """Note a figure, and print it at once on standard error: the whole takes long."""
        self.rows.append((name, str(figure), limit))
        print(f"{name}: {figure}   {limit}", file=sys.stderr, flush=True)

    def sync(self) -> None:
        """A whole sync beside its peers and the floor, then with faults."""
        with local_azure(self.folder, self.subscriptions, self.latency) as azure:
            bare = {**azure, "PEER_CONNECTIONS": FLOOR_CONNECTIONS}
            floor = self.repeat(lambda folder: measure([sys.executable, str(HERE / "floor.py")], bare, folder))
            ours = self.repeat(lambda folder: measure_sync(azure, folder / "store.duckdb"))
            peers = {
                name: self.repeat(lambda folder, name=name: peer_run(name, azure, folder))  # type: ignore[misc]
                for name in PEERS
            }
        imports = self.imports()
        self.found |= {"sync": ours, "floor": floor, "peers": peers, "imports": imports}
        fastest = min(peer["wall_s"] for peer in peers.values())
        smallest = min(peer["peak_mb"] for peer in peers.values())
        beyond = ours["wall_s"] - floor["wall_s"] - imports["dagster_s"]
        for name, took in {"secscore sync": ours, **peers, "floor (bare requests)": floor}.items():
            self.report(name, f"{took['wall_s']:.1f} s, CPU {took['cpu_s']:.1f} s, {took['peak_mb']:.0f} MB")
        self.report("wall, of the fastest peer's", f"{ours['wall_s'] / fastest:.2f}", "at most 0.5")
        self.report("beyond floor and import dagster", f"{beyond:.1f} s", "at most 1.5 s")
        self.report("peak memory", f"{ours['peak_mb']:.0f} MB", f"below 350 MB and {smallest:.0f} MB")
        self.report("import of definitions beyond dagster", f"{imports['definitions_s']:.2f} s", "at most 0.3 s")

    def faults(self) -> None:
        """The same sync where a tenth of all requests is struck by a fault."""
        options = (part for fault in FAULTS for part in ("--fault", fault))
        with local_azure(self.folder, self.subscriptions, self.latency, *options) as azure:
            disturbed = self.repeat(lambda folder: measure_sync(azure, folder / "store.duckdb"))
        self.found["with_faults"] = disturbed
        share = f" ({disturbed['wall_s'] / self.found['sync']['wall_s']:.2f} times)" if "sync" in self.found else ""
        self.report("with 10 % faults", f"{disturbed['wall_s']:.1f} s{share}")

    def many(self) -> None:
        """Ten times as many subscriptions: memory must not grow with them."""
        memory = {}
        for times in (1, 10):
            with local_azure(self.folder, times * self.subscriptions, self.latency) as azure:
                memory[times] = self.repeat(lambda folder, azure=azure: measure_sync(azure, folder / "s.duckdb"))  # type: ignore[misc]
        self.found["ten_times"] = memory[10]
        ratio = memory[10]["peak_mb"] / memory[1]["peak_mb"]
        self.report(
            f"{10 * self.subscriptions:,} subscriptions",
            f"{memory[10]['wall_s']:.1f} s, {memory[10]['peak_mb']:.0f} MB, memory {ratio:.2f} times",
            "at most 1.3 times",
        )

    def history(self) -> None:
        """A store with a year of daily history: a sync into it, queries of it, its size."""
        year = year_store(self.subscriptions)
        rows = query_store(year, "select count(*), count(distinct internal.day_of(observed_at)) from ocsf.observations")
        observations, days = rows[0]
        size = year.stat().st_size / observations
        today = datetime.now(UTC).date().isoformat()
        with local_azure(self.folder, self.subscriptions, self.latency, "--date", today) as azure:
            empty = self.repeat(lambda folder: measure_sync(azure, folder / "store.duckdb"))
            full = self.repeat(lambda folder: measure_sync(azure, Path(shutil.copy(year, folder))))
        queries = json.loads(output([sys.executable, str(HERE / "queries.py"), str(year), str(max(self.runs, 3))]))
        self.found["history"] = {
            "observations": observations, "days": days, "bytes_each": round(size, 1), "into_empty": empty,
            "into_year": full, "queries_ms": queries,
        }  # fmt: skip
        self.report(
            "the year's store", f"{observations:,} observations on {days} days, {size:.0f} bytes each", "250 bytes"
        )
        self.report(
            "a sync into it, of one into an empty store",
            f"{full['wall_s']:.1f} s, {full['wall_s'] / empty['wall_s']:.2f} times; "
            f"memory {full['peak_mb'] / empty['peak_mb']:.2f} times",
            "at most 1.25 times",
        )
        for name, milliseconds in queries.items():
            self.report(
                name, f"{milliseconds} ms", f"at most {500 if name.startswith(('changes', 'score_h')) else 250} ms"
            )

    def recommendation_history(self) -> None:
        """A store with a year of daily syncs of recommendations: its size, and views of it, cold."""
        script, year = str(HERE / "recommendation_history.py"), KEPT / "year-recommendations.duckdb"
        self.found["recommendation_history"] = found = json.loads(output([sys.executable, script, str(year)]))
        self.report("a year of recommendations", f"{found['size_mb']:,} MB", "below 1,500 MB")
        for name, milliseconds in found["views_ms"].items():
            self.report(
                name,
                f"{milliseconds} ms",
                f"at most {500 if 'health' in name or name == 'recommendations' else 1000} ms",
            )

    def normalizing(self) -> None:
        """Records a second, beside pandas."""
        with local_azure(self.folder, self.subscriptions, 0.0) as azure:
            store = new_folder(self.folder) / "store.duckdb"
            measure_sync(azure, store)
        speeds = json.loads(output([sys.executable, str(HERE / "normalizing.py"), str(store), str(self.runs)]))
        self.found["records_per_second"] = speeds
        ratio = speeds["ours"] / speeds["json_normalize"]
        self.report(
            "normalizing", f"{speeds['ours']:,} records/s, {ratio:.1f} times json_normalize", "at least 3 times"
        )

    def imports(self) -> Measures:
        """Seconds to import Dagster, and our definitions after it."""
        program = (
            "import json, time; a = time.perf_counter(); import dagster; b = time.perf_counter(); "
            "import secscore_pipeline.definitions; c = time.perf_counter(); "
            "print(json.dumps({'dagster_s': b - a, 'definitions_s': c - b}))"
        )
        return medians([json.loads(output([sys.executable, "-W", "ignore", "-c", program])) for _ in range(self.runs)])


def output(command: list[str]) -> str:
    """Run a command and return what it printed."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def query_store(path: Path, query: str) -> list[Any]:
    """Query a store in a process of its own, so that it does not stay open here."""
    program = "import duckdb, json, sys; print(json.dumps(duckdb.connect(sys.argv[1]).execute(sys.argv[2]).fetchall()))"
    return list(json.loads(output([sys.executable, "-c", program, str(path), query])))


def environment_of(peer: str) -> Path:
    """Return the Python of a peer's environment, made from its pinned requirements when it is not there."""
    folder = KEPT / peer
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        requirements = HERE / "peers" / f"{PEERS[peer][0]}.txt"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", str(requirements)], check=True)
        (folder / ".ready").touch()
    return python


def peer_run(peer: str, azure: dict[str, str], folder: Path) -> Measures:
    """Measure a peer's whole process."""
    script, connections = PEERS[peer]
    command = [str(environment_of(peer)), str(HERE / "peers" / f"{script}.py"), str(folder)]
    return measure(command, {**azure, "PEER_CONNECTIONS": connections}, folder)


def year_store(subscriptions: int) -> Path:
    """Return a store with a year of daily history up to yesterday, made when it is not there."""
    path = KEPT / f"year-{subscriptions}.duckdb"
    if not path.exists():
        print(f"making {path}: a quarter of an hour for 1,000 subscriptions", file=sys.stderr)
        KEPT.mkdir(exist_ok=True)
        subprocess.run([
            sys.executable, str(HERE / "history.py"), str(path), "--subscriptions", str(subscriptions), "--days", "365",
        ], check=True)  # fmt: skip
    # Opened once by the program of today, so that no measurement pays for bringing its views up to date.
    maintained = files(path)
    subprocess.run([*SECSCORE, "maintain"], check=True, env=maintained, stdout=subprocess.DEVNULL)
    return path


PARTS = ("sync", "faults", "many", "history", "recommendation_history", "normalizing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subscriptions", type=int, default=1000)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before each answer")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part; may be given more than once")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="secscore-bench-") as name:
        bench = Bench(given.subscriptions, given.latency, given.runs, Path(name))
        for part in given.only or PARTS:
            getattr(bench, part)()
    if given.json:
        print(json.dumps(bench.found, indent=2))
        return
    widths = [max(len(row[place]) for row in bench.rows) for place in (0, 1)]
    for name, figure, limit in bench.rows:
        print(f"{name:<{widths[0]}}  {figure:<{widths[1]}}  {limit}".rstrip())


if __name__ == "__main__":
    main()
