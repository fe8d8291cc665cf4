"""The groups of measurements: each function measures one of them, and returns figures that JSON can take."""

import json
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.contenders import DLT, FLOOR, HERE, SDK, SYNC, Contender, compare, list_contenders, make_sync, print_progress
from bench.processes import (
    KEPT,
    SECSCORE,
    STORE,
    Measures,
    environment_of,
    files,
    local_azure,
    measure,
    measure_sync,
    medians,
    new_folder,
    output,
    write_settings,
)
from bench.sampling import profile_sync
from secscore_pipeline.azure.event_types import ASSESSMENTS, SECURE_SCORE_CONTROLS, SECURE_SCORES, EventType
from secscore_pipeline.emulator.assessments import describe
from secscore_pipeline.emulator.faults import Fault
from secscore_pipeline.emulator.limits import Limit
from secscore_pipeline.emulator.server import LocalAzure
from secscore_pipeline.emulator.world import World

SCORES = (SECURE_SCORES, SECURE_SCORE_CONTROLS)
"""What is read by default."""

RECOMMENDATIONS = (*SCORES, ASSESSMENTS)

LATENCIES = {"50 ms": 0.05, "400 ms": 0.4}
"""Seconds that the local Azure takes for an answer: as within a region, and as people report of Azure."""

LATENCY = LATENCIES["50 ms"]

CUSTOM_CONTROLS = 2
"""How many controls a tenant has of its own where it has 17, with Microsoft's 15."""

PAGE = 100
"""Assessments on a page."""

CHANGING = 0.01
"""The share of assessments that change on a day."""

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

Figures = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        subscriptions: of the tenant that most groups read; `many` reads ten times as many, `huge` fifty times.
        assessments: of each of a tenth as many subscriptions, where they are read.
        runs: of each process, of which medians are taken.
    """

    subscriptions: int = 1000
    assessments: int = 2000
    runs: int = 3


def measure_reading(size: Size) -> Figures:
    """A sync beside its peers and the floor, at each latency."""
    found: Figures = {"imports": measure_imports(size.runs), "latencies": {}}
    contenders = list(list_contenders((FLOOR, SYNC, DLT, SDK), SCORES))
    for name, latency in LATENCIES.items():
        with local_azure(World(subscriptions=size.subscriptions), latency) as azure:
            found["latencies"][name] = compare(azure, contenders, size.runs)
    return found


def measure_many(size: Size) -> Figures:
    """Ten times as many subscriptions, beside the floor at each latency."""
    subscriptions = 10 * size.subscriptions
    found: Figures = {"subscriptions": subscriptions, "latencies": {}}
    contenders = list(list_contenders((FLOOR, SYNC), SCORES))
    for name, latency in LATENCIES.items():
        with local_azure(World(subscriptions=subscriptions), latency) as azure:
            found["latencies"][name] = compare(azure, contenders, size.runs)
    return found


def measure_huge(size: Size) -> Figures:
    """Fifty times as many subscriptions, with 17 controls, by one process into one file: one run, as it is long."""
    subscriptions = 50 * size.subscriptions
    contenders = list(list_contenders((FLOOR, SYNC), SCORES))
    with local_azure(World(subscriptions=subscriptions, custom_controls=CUSTOM_CONTROLS), LATENCY) as azure:
        found = compare(azure, contenders, 1)
    return {"subscriptions": subscriptions, "runs": 1, "latencies": {"50 ms": found}}


def measure_limits(size: Size) -> Figures:
    """A sync that Azure's limits slow down: the documented one of each subscription, and one that all share.

    The documented one lets a list be read at 25 pages a second, so lists of 500 pages are read, without latency. The
    shared one allows half of the requests a second that the same sync makes without it.
    """
    world = World(subscriptions=8, assessments=size.assessments)
    with local_azure(world, 0.0, page_size=max(1, size.assessments // 500)) as azure:
        each = measure_limit(azure, make_sync(RECOMMENDATIONS), size.runs, lambda *_: (250, 25, False))
    with local_azure(World(subscriptions=size.subscriptions), LATENCY) as azure:
        shared = measure_limit(
            azure, make_sync(SCORES), size.runs, lambda asked, seconds: (asked / 8, asked / seconds / 2, True)
        )
    return {"of each subscription": each, "shared": shared}


def measure_limit(
    azure: LocalAzure,
    sync: Callable[[LocalAzure, Path], Measures],
    runs: int,
    choose: Callable[[int, float], tuple[float, float, bool]],
) -> Figures:
    """Measure a sync with and without a limit.

    Args:
        azure: what is read.
        sync: measures one sync.
        runs: how many of each.
        choose: gets the requests that a sync makes without a limit, and the seconds from the first to the last; returns
            the bucket's size, the tokens added a second, and whether all subscriptions share it.

    Returns:
        Among others `allowed_s`: the seconds that the process would take without the limit, and the time that the limit
        adds to its reading at the least.
    """
    free = [watch_sync(azure, sync) for _ in range(runs)]
    asked, span, wall = (statistics.median(one[key] for one in free) for key in ("asked", "span_s", "wall_s"))
    tokens, refill, is_shared = choose(int(asked), span)
    limited = []
    for _ in range(runs):
        azure.limit = Limit(tokens, refill, is_shared, time.monotonic)
        took = watch_sync(azure, sync)
        limited.append({**took, "refused": float(azure.limit.refused), "granted": float(azure.limit.granted)})
    azure.limit = None
    busiest = asked if is_shared else statistics.median(one["asked_of_one"] for one in free)
    allowed = wall - span + max(span, (busiest - tokens) / refill)
    return {
        "bucket": round(tokens), "refill": round(refill), "without": medians(free), "with": medians(limited),
        "allowed_s": round(allowed, 2),
    }  # fmt: skip


def watch_sync(azure: LocalAzure, sync: Callable[[LocalAzure, Path], Measures]) -> Measures:
    """Measure a sync, and what it asks: all requests, those of the subscription with most, and in how many seconds."""
    moments: list[float] = []
    azure.on_arm_request = lambda _: moments.append(time.monotonic())
    before = azure.requests.copy()
    with new_folder() as folder:
        took = sync(azure, folder)
    azure.on_arm_request = None
    print_progress(Contender(SYNC, "limited" if azure.limit else "no limit", sync), took)
    asked: Counter[str] = Counter()
    for request, count in (azure.requests - before).items():
        asked["/".join(request.split("/")[:3])] += count
    return {
        **took, "asked": len(moments), "span_s": moments[-1] - moments[0], "asked_of_one": max(asked.values()),
    }  # fmt: skip


def measure_faults(size: Size) -> Figures:
    """The same sync without and with faults in a tenth of all requests and connections."""
    found: dict[str, list[Measures]] = {"without": [], "with": []}
    sync = make_sync(SCORES)
    with local_azure(World(subscriptions=size.subscriptions), LATENCY) as azure:
        for _ in range(size.runs):
            for name, faults in (("without", ()), ("with", FAULTS)):
                azure.faults[:] = map(Fault.parse, faults)
                with new_folder() as folder:
                    found[name].append(sync(azure, folder))
                print_progress(Contender(SYNC, f"{name} faults", sync), found[name][-1])
    return {name: medians(measures) for name, measures in found.items()}


def measure_history(size: Size) -> Figures:
    """A store with a year of daily history: its size, a sync into it beside one into an empty store, and queries."""
    year = find_year_store(size.subscriptions)
    rows = query_store(year, "select count(*), count(distinct internal.day_of(observed_at)) from ocsf.observations")
    observations, days = rows[0]
    world = World(subscriptions=size.subscriptions)
    world.simulate_until(datetime.now(UTC).date())
    took: dict[str, list[Measures]] = {"into_empty": [], "into_year": []}
    with local_azure(world, LATENCY) as azure:
        for _ in range(size.runs):
            with new_folder() as folder:
                took["into_empty"].append(measure_sync(environment_of(azure), folder / STORE))
            with new_folder() as folder:
                store = Path(shutil.copy(year, folder / STORE))
                took["into_year"].append(measure_sync(environment_of(azure), store))
    queries = json.loads(output([sys.executable, str(HERE / "queries.py"), str(year), str(max(size.runs, 3))]))
    return {
        "observations": observations, "days": days, "bytes_each": round(year.stat().st_size / observations, 1),
        "queries_ms": queries, **{name: medians(measures) for name, measures in took.items()},
    }  # fmt: skip


def measure_recommendations(size: Size) -> Figures:
    """A store with a year of daily syncs of assessments, 1 % changing each day: its size, and views of it."""
    year = KEPT / f"year-{size.assessments}-assessments.duckdb"
    KEPT.mkdir(exist_ok=True)
    script = [sys.executable, "-m", "bench.recommendation_history", str(year)]
    found: Figures = json.loads(output([*script, "--assessments", str(size.assessments)]))
    return found


def find_year_store(subscriptions: int) -> Path:
    """Return a store with a year of daily history up to yesterday, made when it is not there."""
    path = KEPT / f"year-{subscriptions}.duckdb"
    if not path.exists():
        print(f"making {path.name}: a quarter of an hour for 1,000 subscriptions", file=sys.stderr)
        KEPT.mkdir(exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        subprocess.run([
            sys.executable, str(HERE / "history.py"), str(unfinished), "--subscriptions", str(subscriptions),
            "--days", "365",
        ], check=True)  # fmt: skip
        unfinished.rename(path)
    # Opened once by the program of today, so that no measurement pays for bringing its views up to date.
    maintained = files(path)
    subprocess.run([*SECSCORE, "maintain"], check=True, env=maintained, stdout=subprocess.DEVNULL)
    return path


def query_store(path: Path, query: str) -> list[Any]:
    """Query a store in a process of its own, so that it does not stay open here."""
    program = "import duckdb, json, sys; print(json.dumps(duckdb.connect(sys.argv[1]).execute(sys.argv[2]).fetchall()))"
    return list(json.loads(output([sys.executable, "-c", program, str(path), query])))


def measure_normalizing(size: Size) -> Figures:
    """Records a second, beside pandas."""
    with local_azure(World(subscriptions=size.subscriptions), 0.0) as azure, new_folder() as folder:
        measure_sync(environment_of(azure), folder / STORE)
        command = [sys.executable, str(HERE / "normalizing.py"), str(folder / STORE), str(size.runs)]
        speeds: Figures = json.loads(output(command))
    return {"records_a_second": speeds}


def measure_commands(size: Size) -> Figures:
    """Commands of which a person waits for the end, and the import of the definitions."""
    commands = {
        "--help": ["--help"],
        "query": ["query", "from posture.current_scores"],
        "status": ["status"],
    }
    with local_azure(World(subscriptions=size.subscriptions), 0.0) as azure, new_folder() as folder:
        measure_sync(environment_of(azure), folder / STORE)
        rest = write_settings(environment_of(azure), folder / STORE)
        took = {
            name: medians([measure([*SECSCORE, *arguments], rest, folder) for _ in range(size.runs)])
            for name, arguments in commands.items()
        }
    return {"commands": took, "imports": measure_imports(size.runs)}


def measure_imports(runs: int) -> Measures:
    """Seconds to import Dagster, and our definitions after it."""
    program = (
        "import json, time; a = time.perf_counter(); import dagster; b = time.perf_counter(); "
        "import secscore_pipeline.definitions; c = time.perf_counter(); "
        "print(json.dumps({'dagster_s': b - a, 'definitions_s': c - b}))"
    )
    return medians([json.loads(output([sys.executable, "-W", "ignore", "-c", program])) for _ in range(runs)])


def measure_assessments(size: Size) -> Figures:
    """A sync of recommendations beside its peers and the floor; the next day's; fewer subscriptions; without them."""
    subscriptions = max(1, size.subscriptions // 10)
    found: Figures = {"subscriptions": subscriptions}
    with local_azure(make_large_world(subscriptions, size.assessments), LATENCY, PAGE) as azure:
        contenders = list(list_contenders((FLOOR, SYNC, DLT, SDK), RECOMMENDATIONS))
        found["latencies"] = {"50 ms": compare(azure, contenders, size.runs)}
        found["without_assessments"] = measure_default(azure, SCORES, size.runs)
        found |= measure_two_days(azure, size.runs)
    fewer = max(1, subscriptions // 4)
    with local_azure(make_large_world(fewer, size.assessments), LATENCY, PAGE) as azure:
        found["fewer"] = {"subscriptions": fewer, **measure_default(azure, RECOMMENDATIONS, size.runs)}
    return found


def measure_default(azure: LocalAzure, event_types: Sequence[EventType], runs: int) -> Measures:
    """Return the medians of syncs of some event types into new stores."""
    return compare(azure, list(list_contenders((SYNC,), event_types)), runs)[SYNC]["default"]


def make_large_world(subscriptions: int, assessments: int | None) -> World:
    """Return a tenant with about so many assessments in each subscription, all made; None: what the seed gives."""
    world = World(subscriptions=subscriptions, assessments=assessments, changing=CHANGING)
    if assessments:
        make_assessments(world)
    return world


def make_assessments(world: World) -> dict[object, int]:
    """Have a tenant make the assessments of its present day, as it does when they are asked for.

    Returns:
        For the id of each a hash of its text, which tells whether it has changed.
    """
    version = ASSESSMENTS.api_versions[0]
    made = {}
    for subscription in world.subscriptions.values():
        for assessment in world.list_assessments(subscription):
            document = describe(subscription.subscription_id, assessment, version)
            made[document["id"]] = hash(json.dumps(document))
    return made


def measure_two_days(azure: LocalAzure, runs: int) -> Figures:
    """Measure syncs into empty stores, and the next one into each after a day on which some assessments changed."""
    first, second = list[Measures](), list[Measures]()
    sync = make_sync(RECOMMENDATIONS)
    for _ in range(runs):
        before = make_assessments(azure.world)
        with new_folder() as folder:
            first.append(sync(azure, folder))
            print_progress(Contender(SYNC, "first", sync), first[-1])
            azure.world.simulate_until(azure.world.today + timedelta(days=1))
            after = make_assessments(azure.world)
            second.append(sync(azure, folder))
            print_progress(Contender(SYNC, "next", sync), second[-1])
    changed = sum(before.get(one) != after.get(one) for one in before.keys() | after.keys())
    return {"first": medians(first), "next": medians(second), "assessments": len(after), "changed": changed}


def measure_profile(size: Size) -> Figures:
    """Where a sync spends its processor time, by part, from samples of py-spy; functions are listed beside it."""
    with local_azure(World(subscriptions=size.subscriptions), LATENCY) as azure, new_folder() as folder:
        return {"runs": 1, **profile_sync(environment_of(azure), folder)}
