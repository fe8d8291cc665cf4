"""Measures what lies beyond one machine: workers, a lake, and a long history of many subscriptions; prints a table.

`python -m bench.scale`, or parts of it:

- latency: the same sync by 1, 2 and 4 workers whose work is bound by the 50 ms that Azure takes for an answer: each
  has one request under way, as where Azure's limits are what is scarce;
- throughput: 50,000 subscriptions by 1, 2 and 4 workers that each have as many requests under way as ever: on two
  cores, which the local Azure, PostgreSQL and Redis share, this is bound by the processor;
- history: daily fetches of 5,000 subscriptions in a lake: how fast rows come in, and at 1, 30 and 365 days how many
  files there are and how long queries take, before and after `secscore maintain`.

Everything is real: PostgreSQL, Redis, Celery's workers, Dagster's daemon, the local Azure over TLS. All of it takes
some hours, most of them the year's history; `--days` ends that earlier.
"""

import argparse
import json
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from bench.history import simulate_days, store_day
from bench.launch import peak_mb
from bench.processes import local_azure
from bench.queries import QUERIES, read_constants, select_constants
from secscore_pipeline.emulator.server import LocalAzure
from secscore_pipeline.emulator.world import World
from secscore_pipeline.warehouse.warehouse import TIME_TRAVEL, Warehouse
from testbed import postgresql
from testbed.serving import cluster

WORKERS = (1, 2, 4)
LIMITS = {2: 0.6, 4: 0.35}
"""What share of one worker's time so many may take at most where latency bounds the work."""

LATENCY = 0.05

CUSTOM = 2
"""How many controls a tenant has of its own: 17 with Microsoft's 15."""

MILESTONES = (1, 30, 365)
MAINTENANCE_DAYS = 30
"""Every so many days the lake of the history is maintained."""

PATIENCE = 3 * 3600
TIMES = 3

Figures = dict[str, Any]


@contextmanager
def watch_memory(pids: list[int]) -> Iterator[dict[str, float]]:
    """Watch the processes below some others; the yielded dict has the peak of one run's process in MB in the end."""
    peak, ended = {"mb": 0.0}, threading.Event()

    def watch() -> None:
        while not ended.wait(0.5):
            for pid in pids:
                for process in psutil.Process(pid).children(recursive=True):
                    try:
                        peak["mb"] = max(peak["mb"], process.memory_info().rss / 1e6)
                    except psutil.NoSuchProcess:
                        continue  # it ended after it was listed

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def measure_sync(
    azure: LocalAzure,
    subscriptions: int,
    server: postgresql.Server,
    workers: int,
    batch: int,
    connections: int,
) -> Figures:
    """Have a new cluster sync everything once; return its wall time in seconds, without start and schedule."""
    settings = azure.settings("*") | {
        "SECSCORE_BATCH_SIZE": str(batch), "SECSCORE_PARALLEL_RUNS": str(workers),
        "SECSCORE_MAX_CONNECTIONS": str(connections), "SECSCORE_ENTITIES": "off",
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="secscore-scale-") as home, ExitStack() as stack:
        running = cluster(stack, Path(home), server, settings)
        pids = [running.start("worker").pid for _ in range(workers)]
        running.serve()
        running.begin_sync()
        with watch_memory(pids) as peak:
            runs = running.wait_for_sync(within=PATIENCE)
        with running.warehouse.get_published() as connection:
            fetches, events = connection.execute(
                "select (select count(*) from raw.fetches), (select count(*) from ocsf.assessment_findings)"
            ).fetchall()[0]
    failed = [run["id"] for run in runs if run["status"] != "SUCCESS"]
    if failed or fetches != 2 * subscriptions:
        raise SystemExit(f"{fetches} fetches are stored; of the batches' runs these failed: {failed}")
    seconds = max(run["endTime"] for run in runs) - min(run["startTime"] for run in runs)
    return {
        "workers": workers, "seconds": seconds, "batches": len(runs), "fetches": fetches,
        "findings": events, "fetches_a_second": fetches / seconds, "findings_a_second": events / seconds,
        "peak_mb_of_a_run": peak["mb"],
    }  # fmt: skip


def compare_workers(subscriptions: int, batch: int, connections: int, numbers: Sequence[int]) -> list[Figures]:
    """Return the same sync by each number of workers, against one local Azure."""
    with (
        postgresql.server() as server,
        local_azure(World(subscriptions=subscriptions, custom_controls=CUSTOM), LATENCY) as azure,
    ):
        found: list[Figures] = []
        for workers in numbers:
            took = measure_sync(azure, subscriptions, server, workers, batch, connections)
            one = found[0]["seconds"] if found else took["seconds"]
            found.append({**took, "of_one_worker": took["seconds"] / one})
            report(
                f"{subscriptions:,} subscriptions, {workers} workers with {connections} requests under way each",
                f"{took['seconds']:.0f} s ({took['seconds'] / one:.2f} of one worker's), "
                f"{took['findings_a_second']:.0f} findings a second, a run's process {took['peak_mb_of_a_run']:.0f} MB",
            )
        return found


def measure_history(subscriptions: int, days: int) -> list[Figures]:
    """Fill a lake day by day, maintained now and then; at milestones count its files and run its queries."""
    found = []
    with tempfile.TemporaryDirectory(prefix="secscore-scale-") as folder, postgresql.server() as server:
        home = Path(folder)
        warehouse = Warehouse(
            database=server.lake(server.new_database()), data_path=str(home / "lake"), work_database=str(home / "work")
        )
        world = World(subscriptions=subscriptions, custom_controls=CUSTOM)
        until = datetime.now(UTC).replace(microsecond=0)
        took: list[float] = []
        for day, moment in enumerate(simulate_days(world, days, until), 1):
            started = time.perf_counter()
            store_day(warehouse.get_connection, warehouse.path, world, moment)
            took.append(time.perf_counter() - started)
            is_milestone = day in MILESTONES or day == days
            before = measure_lake(warehouse, home / "lake") if is_milestone else {}
            if is_milestone or day % MAINTENANCE_DAYS == 0:
                started = time.perf_counter()
                assert warehouse.lake
                ahead = datetime.now(UTC) + TIME_TRAVEL
                warehouse.lake.compact(ahead, ahead)  # deletes all earlier snapshots
                compacting = time.perf_counter() - started
                peak = peak_mb(resource.getrusage(resource.RUSAGE_SELF))
                report(f"day {day}", f"stored in {took[-1]:.1f} s, maintained in {compacting:.0f} s, {peak:.0f} MB")
            if is_milestone:
                after = measure_lake(warehouse, home / "lake")
                newest = statistics.median(took[-10:])
                found.append(
                    {
                        "days": day, "first_day_s": took[0], "day_s": newest,
                        "compacting_s": compacting, "peak_mb": peak, "before": before, "after": after,
                    }
                )  # fmt: skip
                for name, figures in (("before", before), ("after", after)):
                    report(f"{day} days of {subscriptions:,} subscriptions, {name} compaction", json.dumps(figures))
                report("a day takes", f"{took[0]:.1f} s the first, {newest:.1f} s the newest")
    return found


def measure_lake(warehouse: Warehouse, data: Path) -> Figures:
    """Return what a lake holds, in how many files, and how many milliseconds its queries take (medians)."""
    figures: Figures = {"files": 0, "mb": 0.0}
    for file in data.rglob("*.parquet"):
        figures["files"] += 1
        figures["mb"] += file.stat().st_size / 1e6
    figures["mb"] = round(figures["mb"], 1)
    with warehouse.get_published() as connection:
        known = read_constants(connection)
        (figures["fetches"],) = connection.execute("select count(*) from raw.fetches").fetchall()[0]
        (figures["findings"],) = connection.execute("select count(*) from internal.findings").fetchall()[0]
    for name, query in QUERIES.items():
        took = []
        for _ in range(TIMES):
            started = time.perf_counter()
            with warehouse.get_published() as connection:
                connection.execute(query, select_constants(query, known)).fetchall()
            took.append(1000 * (time.perf_counter() - started))
        figures[f"{name}, ms"] = round(statistics.median(took))
    return figures


def report(name: str, figure: str) -> None:
    """Print a figure at once: the whole takes long."""
    print(f"{name}: {figure}", flush=True)


def main() -> int:
    """Measure the parts that were named; 1 where workers gain less than they must."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["latency", "throughput", "history"], metavar="PART")
    parser.add_argument("--subscriptions", type=int, default=50_000, help="how many are read at full throughput")
    parser.add_argument("--days", type=int, default=365, help="how long the history is")
    parser.add_argument("--workers", type=int, nargs="*", default=WORKERS, help="how many, one after the other")
    parser.add_argument("--json", type=Path, help="write the figures to a file")
    given = parser.parse_args()
    found: Figures = {}
    within = True
    if "latency" in given.parts:
        found["latency"] = compare_workers(2_000, batch=250, connections=1, numbers=given.workers)
        within = all(
            took["of_one_worker"] <= LIMITS[took["workers"]]
            for took in found["latency"]
            if took["workers"] in LIMITS
        )  # fmt: skip
    if "throughput" in given.parts:
        found["throughput"] = compare_workers(given.subscriptions, batch=2_000, connections=64, numbers=given.workers)
    if "history" in given.parts:
        found["history"] = measure_history(5_000, given.days)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))
    if not within:
        print("Workers gain less than they must.", file=sys.stderr)
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
