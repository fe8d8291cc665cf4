"""The benchmarks measure what they say: the process itself, each group, and the page that has their figures."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import tables
from bench.contenders import DLT, FLOOR, HOPELESS, SDK, Contender, compare, find_best, find_fastest_peer
from bench.processes import files, measure, published_file
from bench.run import GROUPS
from bench.sampling import find_part, list_functions
from bench.tables import PAGE, PLACE, write_tables
from secscore_pipeline.emulator.server import LocalAzure
from secscore_pipeline.emulator.world import World

ROOT = Path(__file__).resolve().parents[2]
LARGE = 300_000_000


def run_groups(*arguments):
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("AZURE_", "SECSCORE_"))}
    command = [sys.executable, "-W", "ignore", "-m", "bench.run", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_memory_of_a_process_is_its_own_and_not_that_of_the_one_that_measures(tmp_path):
    ours = bytearray(LARGE)
    small = measure([sys.executable, "-c", "pass"], os.environ, tmp_path)
    large = measure([sys.executable, "-c", f"bytearray({LARGE})"], os.environ, tmp_path)
    assert len(ours) == LARGE
    assert small["peak_mb"] < LARGE / 1e6 / 2 < LARGE / 1e6 < large["peak_mb"]


def test_the_processor_time_of_a_process_is_measured_with_that_of_its_children(tmp_path):
    busy = "import time\nwhile time.process_time() < 0.5: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}], check=True)"
    took = measure([sys.executable, "-c", parent], os.environ, tmp_path)
    assert 0.5 <= took["cpu_s"] <= took["wall_s"] + 0.5


def test_a_process_that_fails_ends_the_measurement_with_what_it_said(tmp_path):
    with pytest.raises(SystemExit, match=r"ended with 3:\nno reason"):
        measure([sys.executable, "-c", "import sys; sys.stderr.write('no reason'); sys.exit(3)"], os.environ, tmp_path)


def test_what_is_published_is_the_file_that_is_sized(tmp_path):
    assert files(tmp_path / "store.duckdb")["SECSCORE_DATABASE"] == str(published_file(tmp_path / "store.duckdb"))


def make_contender(name, variant, seconds, measured):
    """A contender that takes some seconds, one after the other of those given, and notes that it ran."""
    waiting = iter(seconds)

    def run(azure, folder):
        measured.append(f"{name} {variant}")
        return {"wall_s": next(waiting), "cpu_s": 1.0, "peak_mb": 10.0}

    return Contender(name, variant, run)


def test_contenders_run_by_turns_and_a_number_of_connections_far_from_the_best_runs_once():
    measured = []
    contenders = [
        make_contender(FLOOR, "64", [2.0, 2.2, 2.4], measured),
        make_contender(FLOOR, "128", [2.0 * HOPELESS + 0.1], measured),
        make_contender(DLT, "64", [9.0, 8.0, 7.0], measured),
    ]
    with LocalAzure(World(subscriptions=1)) as azure:
        found = compare(azure, contenders, 3)
    assert measured == ["floor 64", "floor 128", "dlt 64"] + 2 * ["floor 64", "dlt 64"]
    assert found[FLOOR]["64"]["wall_s"] == 2.2
    assert find_best(found, FLOOR)[0] == "64"


def test_the_fastest_peer_is_the_one_whose_best_is_least():
    found = {
        FLOOR: {"64": {"wall_s": 1.0}},
        DLT: {"64": {"wall_s": 9.0}, "256": {"wall_s": 5.0}},
        SDK: {"16": {"wall_s": 6.0}},
    }
    assert find_fastest_peer(found) == (DLT, {"wall_s": 5.0})


def test_a_sample_belongs_to_the_innermost_part_of_ours_unless_it_is_an_import():
    outer = ("<module> (secscore_pipeline/cli/__main__.py:3)", "execute (dagster/_core/execution/api.py:9)")
    loading = (*outer, "load (secscore_pipeline/warehouse/store.py:80)")
    assert find_part(outer) == "Dagster"
    assert find_part((*loading, "get (json/decoder.py:1)")) == "warehouse/store"
    assert find_part((*loading, "execute (secscore_pipeline/warehouse/statements.py:1)")) == "warehouse/store"
    assert find_part((*loading, "_find_and_load (<frozen importlib._bootstrap>:1)")) == "imports of modules"
    assert find_part(("run (threading.py:1)",)) == "other libraries"


def test_a_function_is_counted_once_in_a_sample_and_alone_where_it_is_innermost():
    stacks = {("f (a.py:1)", "f (a.py:2)", "g (b.py:3)"): 3, ("f (a.py:1)",): 1}
    lines = list_functions(stacks)
    assert "   75.0     75.0  g (b.py)" in lines
    assert "   25.0    100.0  f (a.py)" in lines


def test_the_page_on_performance_has_a_place_for_each_group_and_the_figures_that_were_kept():
    text = PAGE.read_text()
    assert sorted(found["group"] for found in PLACE.finditer(text)) == sorted(GROUPS) == sorted(tables.SAY)
    assert text == write_tables(text)


def test_figures_are_kept_beside_each_other_and_a_profile_as_text(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "FIGURES", tmp_path / "figures")
    common = {"measured": "2026-11-27", "subscriptions": 1000, "runs": 3}
    tables.keep("normalizing", {**common, "records_a_second": {"ours": 64_000, "json_normalize": 32_000}})
    tables.keep(
        "profile",
        {**common, "parts": {"warehouse/store": 60.0, "Dagster": 39.5, "cli/sync": 0.5}, "functions": ["a line"]},
    )
    places = "<!-- make bench: {0} -->\nold\n<!-- end -->\n"
    page = write_tables("".join(map(places.format, ("normalizing", "profile", "huge"))))
    assert "`make bench ONLY=normalizing`, 2026-11-27: 1,000 subscriptions, medians of 3." in page
    assert "| records mapped in a second | 64,000, 2.0 times | at least 2 times |" in page
    assert "| `warehouse/store` | 60 % |\n| Dagster | 40 % |\n| the rest | 0 % |" in page
    assert "Not measured yet." in page
    assert "old" not in page
    assert "functions" not in json.loads((tmp_path / "figures" / "profile.json").read_text())
    assert (tmp_path / "figures" / "profile.txt").read_text() == "a line\n"


def test_the_help_lists_each_group_and_an_unknown_one_is_refused():
    shown, refused = run_groups("--help"), run_groups("everything")
    assert shown.returncode == 0
    assert all(f"\n  {group} " in shown.stdout for group in GROUPS)
    assert refused.returncode == 2
    assert "there is no group everything" in refused.stderr


@pytest.mark.slow
def test_groups_without_peers_measure_a_small_tenant():
    sizes = ("--subscriptions=3", "--assessments=20", "--runs=1")
    ended = run_groups("faults", "commands", *sizes)
    assert ended.returncode == 0, ended.stderr
    for row in (
        "| with faults |",
        "| `secscore status` |",
    ):
        assert row in ended.stdout
    assert "3 subscriptions, one run." in ended.stdout
