"""Soaks the service: run after run in one process as a daemon would launch them, a simulated day apart.

Each run is what the schedule's tick requests; a local Azure simulates a day before it, with faults in a tenth of its
requests; two processes read what is published, all the time; the sensor delivers alerts to a receiver that now and
then refuses them; old runs are deleted once a week. At the end the first runs are compared with the last ones: what
grows with the store's age is a drift. Exit code 1 where a limit was passed, a reader saw something torn, an alert was
lost or delivered twice, or a run neither stored everything nor said why not.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
READERS = 2
PAUSE = "0.3"
"""Seconds between two readings of a reader: two that never pause would be all that is timed on two cores."""

RUN_RETENTION_DAYS = 30
"""How many simulated days Dagster's record of a run is kept."""

LIMITS = {
    "time a run, s": 1.25,
    "CPU a run, s": 1.25,
    "time a tick of the alerts, s": 1.25,
    "memory, MB": 1.1,
    "published, bytes per observation": 1.0,
    "work file, bytes per observation": 1.0,
    "Dagster's records, MB": 1.25,
}
"""What the last runs may be of the first ones, by measure."""

TIMED = {"time a run, s", "CPU a run, s", "time a tick of the alerts, s", "memory, MB", "Dagster's records, MB"}
"""What a short soak cannot measure: caches fill, and the machine is shared."""

REFUSALS: tuple[list[object], ...] = ([], [503], ["drop"], [], [500] * 4, [429], [], [404])
"""What the receiver answers to the first messages of a day, day after day."""


@dataclass
class Soak:
    """What was measured, a list for each measure, and what went wrong."""

    measures: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in LIMITS})
    wrong: list[str] = field(default_factory=list)
    runs: Counter[str] = field(default_factory=Counter)
    faults: int = 0
    reads: int = 0
    delivered: int = 0
    observations: int = 0


class Outside:
    """The process with the local Azure and the receiver of alerts."""

    def __init__(self, subscriptions: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.outside", str(subscriptions)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self.settings: dict[str, str] = self._line()

    def order(self, **order: object) -> Any:
        """Give an order and return its answer."""
        self._process.stdin.write(f"{json.dumps(order)}\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]
        return self._line()

    def _line(self) -> Any:
        return json.loads(self._process.stdout.readline())  # type: ignore[union-attr]

    def close(self) -> None:
        """Let it end, or end it."""
        end(self._process)


def end(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Close the input of a process, which ends by that, and return what it said; kill the one that does not."""
    try:
        return process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()


@contextmanager
def readers(published: Path, fetches_of_a_run: int, soak: Soak) -> Iterator[None]:
    """Have processes read what is published until the block ends, and note what they saw."""
    command = [sys.executable, "-m", "testbed.hammering", str(published), str(fetches_of_a_run), PAUSE]
    pipe = subprocess.PIPE
    started = [
        subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
        for _ in range(READERS)
    ]
    try:
        yield
    finally:
        for process in started:
            process.stdin.write("end\n") if process.poll() is None and process.stdin else None
            said, complaints = end(process)
            if process.returncode:
                soak.wrong.append(f"A reader failed: {complaints.strip().splitlines()[-1:]}")
            else:
                soak.reads += int(said.split()[-2])


class Stopped(Exception):  # noqa: N818 - wanted, and no error
    """The soak got a signal to stop."""


def run_soak(folder: Path, given: argparse.Namespace, report: Any, stop: threading.Event) -> Soak:
    """Run the job so often, a simulated day apart and up to today, and return what was measured.

    Raises:
        Stopped: `stop` was set, and the run that was under way has ended.
    """
    soak = Soak()
    with ExitStack() as stack:
        outside = Outside(given.subscriptions)
        stack.callback(outside.close)
        home = folder / "dagster"
        home.mkdir()
        (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
        os.environ |= {
            **outside.settings,
            "DAGSTER_HOME": str(home),
            "SECSCORE_DATABASE": str(folder / "data" / "secscore.duckdb"),
            "SECSCORE_WORK_DATABASE": "",
            "SECSCORE_REPORT": str(folder / "report.html"),
            "SECSCORE_FEEDS": os.devnull,
            "SECSCORE_BRIEFING": "0 8 * * 1",
        }
        _Service(folder, outside, soak, stack, lean=given.lean).run_days(given.runs, given.subscriptions, report, stop)
    return soak


class _Service:
    """The service: imported only when the environment has its settings, as the definitions read them."""

    def __init__(self, folder: Path, outside: Outside, soak: Soak, stack: ExitStack, *, lean: bool) -> None:
        import dagster as dg

        from secscore_pipeline.definitions import defs
        from secscore_pipeline.defs.assets.report import REPORT
        from secscore_pipeline.warehouse.warehouse import Warehouse

        self.folder, self.outside, self.soak, self.stack = folder, outside, soak, stack
        self.instance = stack.enter_context(dg.DagsterInstance.get())
        self.defs, self.warehouse = defs, Warehouse.from_environment()
        self.selection = [key for key in defs.resolve_all_asset_keys() if key != REPORT] if lean else None
        self.job = defs.resolve_job_def("sync")
        self.schedule = defs.resolve_schedule_def("sync_schedule")
        self.alerts = defs.resolve_sensor_def("alerts")
        self.process = psutil.Process()
        self.started: list[datetime] = []

    def run_days(self, runs: int, subscriptions: int, report: Any, stop: threading.Event) -> None:
        """Run day after day; the readers begin when there is something to read."""
        from secscore_pipeline import clock

        begun = clock.utc_now().replace(hour=5, minute=0, second=0, microsecond=0) - timedelta(days=runs)
        lost = 0
        for number in range(runs):
            if stop.is_set():
                raise Stopped
            morning = begun + timedelta(days=number)
            hidden = int(number % 9 == 3)
            lost += hidden
            refusals = REFUSALS[number % len(REFUSALS)]
            self.soak.faults = self.outside.order(day=f"{morning:%Y-%m-%d}", forbidden=hidden, refusals=refusals)
            with clock.at(morning):
                self._run(2 * subscriptions)
                self._tick()
                if number % 7 == 4:
                    self._delete_old_runs()
            self._measure()
            if number == 0:
                reading = readers(self.warehouse.published_path, 2 * subscriptions, self.soak)
                self.stack.enter_context(reading)
            measured = {name: round(found[-1], 2) for name, found in self.soak.measures.items()}
            report(f"{number + 1} of {runs}: {measured}")
        with clock.at(begun + timedelta(days=runs - 1, hours=1)):
            self.outside.order(day=f"{morning:%Y-%m-%d}", forbidden=0, refusals=[])
            self._tick()
            self._check_alerts(lost)

    def _run(self, fetches: int) -> None:
        """Run what a tick of the schedule requests; it stores everything, or says what it did not and why."""
        import dagster as dg

        from secscore_pipeline.clock import utc_now

        started, worked = time.perf_counter(), time.process_time()
        self.started.append(datetime.now().astimezone())
        with dg.build_schedule_context(
            self.instance, utc_now(), repository_def=self.defs.get_repository_def()
        ) as context:
            (request,) = self.schedule.evaluate_tick(context).run_requests or ()
        result = self.job.execute_in_process(
            instance=self.instance,
            run_config={"loggers": {"plain": {}}},
            tags=request.tags,
            partition_key=request.partition_key,
            asset_selection=self.selection,
            raise_on_error=False,
        )
        self.soak.measures["CPU a run, s"].append(time.process_time() - worked)
        self.soak.measures["time a run, s"].append(time.perf_counter() - started)
        query = """select count(*), count(*) filter (outcome not in ('complete', 'no_score')),
            count(*) filter (outcome not in ('complete', 'no_score') and error is null)
            from raw.fetches where run_id = ?"""
        with self.warehouse.get_published() as connection:
            stored, not_read, unexplained = connection.execute(query, [result.run_id]).fetchone() or (0, 0, 0)
        is_complete = stored == fetches and not not_read
        is_explained = stored == fetches and not unexplained
        self.soak.runs["complete" if is_complete else "partial, explained" if is_explained else "torn"] += 1
        if not is_explained or not result.success:
            failures = [event.step_failure_data.error_display_string for event in result.get_step_failure_events()]
            self.soak.wrong.append(f"Run {len(self.started)}: {stored} of {fetches} fetches stored. {failures}")

    def _tick(self) -> None:
        """Have the sensor deliver what is new."""
        import dagster as dg

        started = time.perf_counter()
        with dg.build_sensor_context(self.instance, definitions=self.defs) as context:
            self.alerts.evaluate_tick(context)
        self.soak.measures["time a tick of the alerts, s"].append(time.perf_counter() - started)

    def _delete_old_runs(self) -> None:
        """Do what the job forget_old_runs does on Sundays, by the machine's own clock: Dagster dates runs by that."""
        from secscore_pipeline.defs.maintenance import delete_runs

        if len(self.started) > RUN_RETENTION_DAYS:
            delete_runs(self.instance, self.started[-RUN_RETENTION_DAYS])

    def _measure(self) -> None:
        with self.warehouse.get_published() as connection:
            (observations,) = connection.execute("select count(*) from ocsf.observations").fetchone() or (0,)
        found = {
            "memory, MB": self.process.memory_info().rss / 1e6,
            "published, bytes per observation": self.warehouse.published_path.stat().st_size / observations,
            "work file, bytes per observation": self.warehouse.path.stat().st_size / observations,
            "Dagster's records, MB": sum(f.stat().st_size for f in (self.folder / "dagster").rglob("*")) / 1e6,
        }
        for name, figure in found.items():
            self.soak.measures[name].append(figure)
        self.soak.observations = observations

    def _check_alerts(self, lost: int) -> None:
        """Compare what was delivered with what happened since alerts were first switched on."""
        from secscore_pipeline.alerts.events import find_alerts
        from secscore_pipeline.alerts.journal import open_journal
        from secscore_pipeline.clock import utc_now

        delivered = Counter(self.outside.order(delivered=True))
        with (
            open_journal(self.warehouse.published_path, utc_now()) as journal,
            self.warehouse.get_published() as connection,
        ):
            expected = {alert.key for alert in find_alerts(connection, journal.begun, 2.0)}
        by_time = {key for key in delivered if key.startswith(("briefing/", "sync_overdue/"))}
        self.soak.wrong += [f"Delivered {times} times: {key}" for key, times in delivered.items() if times > 1]
        self.soak.wrong += [f"Never delivered: {key}" for key in expected - delivered.keys()]
        self.soak.wrong += [f"Delivered, but did not happen: {key}" for key in delivered.keys() - expected - by_time]
        reported = sum(key.startswith("coverage_lost/") for key in delivered)
        if reported != lost:
            self.soak.wrong.append(f"{lost} times a subscription could not be read, and {reported} were delivered.")
        self.soak.delivered = len(delivered)


def compare_runs(soak: Soak, timed: bool) -> list[tuple[str, float, float, float, float]]:
    """Return a row for each measure: its median over the first and the last runs, their ratio, and the limit.

    The first runs are left out, in which everything is loaded: of 200 those from the 21st to the 60th are taken.
    """
    rows = []
    for name, limit in LIMITS.items():
        found = soak.measures[name]
        part = max(len(found) // 5, 1)
        first, last = (statistics.median(some) for some in (found[part // 2 : part // 2 + part], found[-part:]))
        rows.append((name, first, last, last / first, limit))
        if last / first > limit and (timed or name not in TIMED):
            soak.wrong.append(f"{name}: {last / first:.2f} times, at most {limit:g}.")
    return rows


def report_progress(line: str) -> None:
    """Print how far it is, on standard error."""
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--subscriptions", type=int, default=20)
    parser.add_argument("--lean", action="store_true", help="leave out the report, which takes a third of a run")
    parser.add_argument("--untimed", action="store_true", help="check no limit of time and memory")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="secscore-soak-") as folder, ThreadPoolExecutor(1) as executor:
        # Not in the main thread, in which Dagster takes the signals for itself while it runs.
        soaking = executor.submit(run_soak, Path(folder), given, report_progress, stop)
        try:
            soak = soaking.result()
        except Stopped:
            sys.exit("Stopped: the run that was under way has ended, and so has every process.")
    rows = compare_runs(soak, timed=not given.untimed)
    if given.json:
        print(json.dumps({**vars(soak), "compared": rows}))
    else:
        print(f"{given.runs} runs of {given.subscriptions} subscriptions, {soak.observations:,} observations; "
              f"{soak.faults} faults, {soak.reads} reads, {soak.delivered} alerts; "
              f"runs: {dict(soak.runs)}")  # fmt: skip
        print(f"{'':34}{'first':>10}{'last':>10}{'ratio':>8}  at most")
        for name, first, last, ratio, limit in rows:
            print(f"{name:34}{first:10.2f}{last:10.2f}{ratio:8.2f}  {limit:g}")
        print(*soak.wrong or ["Nothing drifts, and nothing went wrong."], sep="\n")
    sys.exit(bool(soak.wrong))


if __name__ == "__main__":
    main()
