"""Writes the figures of `make bench` as tables, and into docs/performance.md, where comments mark each group's place.

The figures are in bench/figures, a file for each group, so that the page can be written anew without measuring.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from bench.contenders import FLOOR, HERE, SCRIPTS, SYNC, Found, find_best, find_fastest_peer
from bench.processes import Measures

FIGURES = HERE / "figures"
PAGE = HERE.parent / "docs" / "performance.md"

PLACE = re.compile(r"(<!-- make bench: (?P<group>[a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Figures = dict[str, Any]
Row = Sequence[str]


QUERY_MS = {
    "current_scores": 61,
    "tenant_score, last day": 194,
    "opportunities": 143,
    "changes, a day": 450,
    "score_history, a subscription": 96,
}
"""How many milliseconds each query of a year took with the program of 2026-11-24, which it must not exceed: measured on
2026-11-27, on the machine of the other figures and with a year that that program had stored."""


def make_table(header: Row, rows: Sequence[Row]) -> list[str]:
    """Return a table in Markdown, and an empty line after it."""
    lines = (f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in (header, ["---"] * len(header), *rows))
    return [*lines, ""]


def say_latencies(found: Figures) -> list[str]:
    """Return the table of all contenders: a row for each number of connections, the best in bold; latencies beside."""
    latencies: dict[str, Found] = found["latencies"]
    rows = []
    for name, variants in next(iter(latencies.values())).items():
        for variant in variants:
            title = {SYNC: "`secscore sync`", FLOOR: "floor: a pool of `requests`"}.get(name, name)
            cells = [title if variant == "default" else f"{title}, {variant} connections"]
            for one in latencies.values():
                best, took = find_best(one, name)[0] == variant, one[name][variant]
                seconds = f"{took['wall_s']:.1f} s"
                cells += [f"**{seconds}**" if best else seconds, f"{took['cpu_s']:.1f} s", f"{took['peak_mb']:.0f} MB"]
            rows.append(cells)
    header = [""]
    for latency in latencies:
        header += [f"{latency}: wall time", "processor", "memory"]
    return make_table(header, rows)


def say_sync(found: Figures) -> list[str]:
    """Return the tables of the syncs beside their peers."""
    limits = {"50 ms": (1.0, 0.6), "400 ms": (1.5, 0.7)}
    rows = []
    for latency, one in found["latencies"].items():
        ours, floor, (peer, theirs) = one[SYNC]["default"], find_best(one, FLOOR)[1], find_fastest_peer(one)
        beyond = ours["wall_s"] - floor["wall_s"] - found["imports"]["dagster_s"]
        least_beyond, ratio = limits[latency]
        rows += [
            (f"{latency}: beyond the floor and the import of Dagster", f"{beyond:.1f} s", f"at most {least_beyond} s"),
            (f"{latency}: of the time of {peer}", f"{ours['wall_s'] / theirs['wall_s']:.2f}", f"at most {ratio}"),
        ]
    latencies = found["latencies"].values()
    smallest = min(took["peak_mb"] for one in latencies for name in SCRIPTS for took in one[name].values())
    largest = max(one[SYNC]["default"]["peak_mb"] for one in latencies)
    rows.append(("memory", f"{largest:.0f} MB", f"below 256 MB, and {smallest:.0f} MB of a peer"))
    imports = f"The import of Dagster takes {found['imports']['dagster_s']:.2f} s."
    return [*say_latencies(found), *make_table(("", "measured", "must be"), rows), imports, ""]


def say_large(found: Figures, limits: dict[str, float], most_mb: int) -> list[str]:
    """Return the tables of a large tenant: all contenders, and the ratio to the floor at its best."""
    rows = []
    for latency, one in found["latencies"].items():
        ours, floor = one[SYNC]["default"], find_best(one, FLOOR)[1]
        ratio = f"{ours['wall_s'] / floor['wall_s']:.2f}"
        rows.append((f"{latency}: of the floor's time", ratio, f"at most {limits[latency]}"))
    memory = max(one[SYNC]["default"]["peak_mb"] for one in found["latencies"].values())
    rows.append(("memory", f"{memory:.0f} MB", f"below {most_mb} MB"))
    return [*say_latencies(found), *make_table(("", "measured", "must be"), rows)]


def say_many(found: Figures) -> list[str]:
    return say_large(found, {"50 ms": 1.5, "400 ms": 1.6}, 345)


def say_huge(found: Figures) -> list[str]:
    return say_large(found, {"50 ms": 1.6}, 700)


def say_limits(found: Figures) -> list[str]:
    rows = []
    for name in ("of each subscription", "shared"):
        one = found[name]
        took = one["with"]
        refused = took["refused"] / (took["refused"] + took["granted"])
        rows.append(
            (
                f"{name}: {one['bucket']:,} and {one['refill']:,} a second", f"{one['without']['wall_s']:.1f} s",
                f"{one['allowed_s']:.1f} s", f"{took['wall_s']:.1f} s", f"{took['wall_s'] / one['allowed_s']:.2f}",
                f"{100 * refused:.1f} %",
            )
        )  # fmt: skip
    header = ("token bucket", "without it", "what it allows", "with it", "ratio (at most 1.15)", "refused (below 2 %)")
    return make_table(header, rows)


def say_faults(found: Figures) -> list[str]:
    without, disturbed = found["without"]["wall_s"], found["with"]["wall_s"]
    rows = [("with faults", f"{disturbed:.1f} s, {disturbed / without:.2f} times {without:.1f} s", "at most 2 times")]
    return make_table(("", "measured", "must be"), rows)


def say_history(found: Figures) -> list[str]:
    empty, year = found["into_empty"], found["into_year"]
    observations = f"{found['observations'] / 1e6:.1f} million on {found['days']} days"
    rows = [
        ("observations", observations, ""),
        ("bytes for each, all tables included", f"{found['bytes_each']:.0f}", ""),
        (
            "a sync into it, compared with one into an empty database",
            f"{year['wall_s'] / empty['wall_s']:.2f} times the time, "
            f"{year['peak_mb'] / empty['peak_mb']:.2f} times the memory",
            "at most 1.1 times the time",
        ),
    ]
    for query, milliseconds in found["queries_ms"].items():
        view, *rest = query.split(", ")
        rows.append((", ".join([f"`posture.{view}`", *rest]), f"{milliseconds} ms", f"at most {QUERY_MS[query]} ms"))
    return make_table(("", "measured", "must be"), rows)


def say_normalizing(found: Figures) -> list[str]:
    speeds = found["records_a_second"]
    rows = [
        (
            "records mapped in a second", f"{speeds['ours']:,}, {speeds['ours'] / speeds['json_normalize']:.1f} times",
            "at least 2 times",
        ),
        ("`pandas.json_normalize`, which flattens them only", f"{speeds['json_normalize']:,}", ""),
    ]  # fmt: skip
    return make_table(("", "measured", "must be"), rows)


def say_commands(found: Figures) -> list[str]:
    limits = {"--help": 0.15, "query": 0.5, "status": 0.5}
    rows = [
        (f"`secscore {name}`", f"{took['wall_s']:.2f} s", f"at most {limits[name]} s")
        for name, took in found["commands"].items()
    ]
    definitions = f"{found['imports']['definitions_s']:.2f} s"
    rows.append(("import of `secscore_pipeline.definitions` after Dagster", definitions, "at most 0.15 s"))
    rows.append(("import of Dagster", f"{found['imports']['dagster_s']:.2f} s", ""))
    return make_table(("", "measured", "must be"), rows)


def say_assessments(found: Figures) -> list[str]:
    """Return the tables of recommendations: all contenders, then what the next sync and a larger tenant add."""
    one = found["latencies"]["50 ms"]
    ours, (peer, theirs) = one[SYNC]["default"], find_fastest_peer(one)
    first, second, fewer, without = (found[name] for name in ("first", "next", "fewer", "without_assessments"))
    added = second["store_mb"] - first["store_mb"]
    share = 100 * found["changed"] / found["assessments"]
    rows = [
        (f"of the time of {peer}", f"{ours['wall_s'] / theirs['wall_s']:.2f}", "at most 0.5"),
        ("memory", f"{ours['peak_mb']:.0f} MB", "below 450 MB"),
        (f"memory with {fewer['subscriptions']} subscriptions", f"{fewer['peak_mb']:.0f} MB", "about the same"),
        (
            f"the next sync, {share:.1f} % of the assessments changed, of the first one's {first['wall_s']:.1f} s",
            f"{second['wall_s'] / first['wall_s']:.2f}", "at most 0.6",
        ),
        (
            f"what it adds to the database's {first['store_mb']:.1f} MB",
            f"{added:.1f} MB, {100 * added / first['store_mb']:.1f} %", "at most 3 %",
        ),
        ("a sync without assessments", f"{describe(without)}, a database of {without['store_mb']:.1f} MB", ""),
    ]  # fmt: skip
    return [*say_latencies(found), *make_table(("", "measured", "must be"), rows)]


def say_recommendations(found: Figures) -> list[str]:
    rows = [("a year's database", f"{found['size_mb']:,} MB", "below 1,500 MB")]
    for name, milliseconds in found["views_ms"].items():
        most = 1000 if name.startswith(("recommendation_changes", "time_to_fix")) else 500
        rows.append((f"`posture.{name}`", f"{milliseconds} ms", f"at most {most} ms"))
    return make_table(("", "measured", "must be"), rows)


def say_profile(found: Figures) -> list[str]:
    """Return the table of the parts of a profile; those below one percent are summed up."""
    shares = {part: share for part, share in found["parts"].items() if share >= 1}
    rows = [(f"`{part}`" if "/" in part else part, f"{share:.0f} %") for part, share in shares.items()]
    return make_table(("part", "processor time"), [*rows, ("the rest", f"{100 - sum(shares.values()):.0f} %")])


def describe(took: Measures) -> str:
    """Return what a process took as text."""
    return f"{took['wall_s']:.1f} s, {took['peak_mb']:.0f} MB"


SAY: dict[str, Callable[[Figures], list[str]]] = {
    "sync": say_sync,
    "many": say_many,
    "huge": say_huge,
    "limits": say_limits,
    "faults": say_faults,
    "history": say_history,
    "normalizing": say_normalizing,
    "commands": say_commands,
    "assessments": say_assessments,
    "recommendations": say_recommendations,
    "profile": say_profile,
}
"""What makes the tables of each group."""


def say(group: str, found: Figures) -> list[str]:
    """Return the lines on a group: when it was measured and with which tenant, then its tables."""
    runs = f"medians of {found['runs']}" if found["runs"] > 1 else "one run"
    tenant = f"{found['subscriptions']:,} subscriptions"
    return [f"`make bench ONLY={group}`, {found['measured']}: {tenant}, {runs}.", "", *SAY[group](found)]


def keep(group: str, found: Figures) -> None:
    """Write the figures of a group to its file, and the functions of a profile to a text beside it."""
    FIGURES.mkdir(exist_ok=True)
    figures = {name: one for name, one in found.items() if name != "functions"}
    (FIGURES / f"{group}.json").write_text(json.dumps(figures, indent=2) + "\n")
    if "functions" in found:
        (FIGURES / f"{group}.txt").write_text("\n".join(found["functions"]) + "\n")


def write_tables(text: str) -> str:
    """Return a page with the tables of the kept figures in their places."""

    def replace(found: re.Match[str]) -> str:
        figures = FIGURES / f"{found['group']}.json"
        lines = say(found["group"], json.loads(figures.read_text())) if figures.exists() else ["Not measured yet.", ""]
        return found[1] + "\n".join(lines) + found[3]

    return PLACE.sub(replace, text)
