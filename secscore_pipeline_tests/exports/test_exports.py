"""Exports: read back by others' readers, written once, gone on with after a kill, and safe to open."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import fsspec
import pandas as pd
import pyarrow.dataset
import pyarrow.parquet
import pytest

from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.registry import EXPORTS
from secscore_pipeline.config.settings import read_export_layout
from secscore_pipeline.defs.assets.exports import get_export_key
from secscore_pipeline.emulator.world import State, World
from secscore_pipeline.exports.destination import Destination
from secscore_pipeline.exports.export import Lake, export, list_views
from secscore_pipeline.ocsf.validation import build_event, find_lake_problems, find_problems
from secscore_pipeline.warehouse.errors import WarehouseError
from secscore_pipeline_tests.conftest import secscore

LAKE = Lake("Secure", "eu-central-1")


def looked_at(store, start):
    """Return an Azure that was looked at two days ago and today; one subscription is unscored."""
    world = World(subscriptions=3)
    world.add_subscription("00000000-0000-0000-0000-000000000002", State.UNSCORED)
    azure = start(world)
    store.use(azure, *world.subscriptions)
    store.sync()
    store.write("update raw.fetches set observed_at = observed_at - interval 2 day")
    store.sync()
    return azure


@pytest.fixture(scope="module")
def azure(module_azure, module_store):
    return looked_at(module_store, module_azure)


def write_export(store, form, url, **options):
    destination = Destination(str(url))
    with (
        destination.scratch_folder(store.path) as folder,
        store.warehouse.get_published(reachable=[folder]) as connection,
    ):
        return export(connection, form, destination, LAKE, folder, **options)


@pytest.mark.slow
def test_every_line_is_valid_ocsf_and_none_is_missing(azure, module_store, tmp_path):
    done = write_export(module_store, "jsonl", tmp_path / "out")
    files = sorted((tmp_path / "out").glob("day=*/findings.jsonl"))
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert (done.units, done.files, done.rows) == (2, 2, len(lines))
    assert [find_problems(line) for line in lines if find_problems(line)] == []
    rows = module_store.query("select to_json(f) from ocsf.assessment_findings as f order by time, metadata.uid")
    assert lines == [build_event(row) for (row,) in rows]
    assert pd.read_json(files[0], lines=True)["class_uid"].unique().tolist() == [99402001]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_parquet_is_read_back_by_all_and_has_one_schema(azure, module_store, tmp_path):
    write_export(module_store, "parquet", tmp_path / "out")
    files = sorted((tmp_path / "out").glob("day=*/findings.parquet"))
    assert len({str(pyarrow.parquet.read_schema(file)) for file in files}) == 1
    assert pyarrow.parquet.ParquetFile(files[0]).metadata.row_group(0).column(0).compression == "ZSTD"
    findings = module_store.one("select count(*) from ocsf.assessment_findings")
    assert pyarrow.dataset.dataset(files).count_rows() == findings
    assert sum(len(pd.read_parquet(file)) for file in files) == findings
    for file in files:
        times = pyarrow.parquet.read_table(file)["time"].to_pylist()
        assert times == sorted(times)
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        read = connection.execute(
            "select to_json(f) from (select * exclude (day) from read_parquet(?, hive_partitioning = true)) as f "
            "order by time, metadata.uid", [[str(file) for file in files]],
        ).fetchall()  # fmt: skip
    rows = module_store.query("select to_json(f) from ocsf.assessment_findings as f order by time, metadata.uid")
    assert [build_event(row) for (row,) in read] == [build_event(row) for (row,) in rows]


def test_the_lake_is_laid_out_and_valid_as_amazon_wants_it(azure, module_store, tmp_path):
    write_export(module_store, "security-lake", tmp_path / "out")
    files = sorted((tmp_path / "out").rglob("*.parquet"))
    folders = {file.parent.relative_to(tmp_path / "out").as_posix() for file in files}
    days = [
        f"{day:%Y%m%d}"
        for (day,) in module_store.query("select distinct internal.day_of(observed_at) from raw.fetches")
    ]
    scored = list(azure.world.subscriptions)[:3]
    assert folders == {
        f"ext/Secure/region=eu-central-1/accountId=external_{one}/eventDay={day}" for one in scored for day in days
    }
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        read = connection.execute(
            "select to_json(f) from read_parquet(?, hive_partitioning = false) as f", [[str(file) for file in files]]
        ).fetchall()
    events = [build_event(row) for (row,) in read]
    assert [find_lake_problems(one) for one in events if find_lake_problems(one)] == []
    assert find_lake_problems({**events[0], "raw_data_size": 1})
    assert len({one["metadata"]["uid"] for one in events}) == len(events)
    assert len(events) == module_store.one("select count(*) from ocsf.assessment_findings")
    assert {one["class_uid"] for one in events} == {2003}
    assert str(pyarrow.parquet.read_schema(files[0]).field("unmapped").type).startswith("map<string, string")


EVIL = '=HYPERLINK("http://evil"),\n\u202e'


@pytest.mark.slow
def test_a_spreadsheet_runs_nothing_of_the_views(local_azure, store, tmp_path):
    looked_at(store, local_azure)
    store.write(f"update internal.subscription_versions set name = '{EVIL}'")
    store.warehouse.publish()
    done = write_export(store, "csv", tmp_path / "out")
    with store.warehouse.get_published() as connection:
        assert done.files == len(list_views(connection))
    with (tmp_path / "out" / "current_scores.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert {row["subscription_name"] for row in rows} == {f"'{EVIL}"}
    assert len(pd.read_csv(tmp_path / "out" / "changes.csv")) == store.one("select count(*) from posture.changes")


@pytest.mark.slow
@pytest.mark.parametrize("form", EXPORTS)
def test_what_is_there_is_left_and_what_grew_is_written_again(azure, module_store, tmp_path, form):
    first = write_export(module_store, form, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()}
    again = write_export(module_store, form, tmp_path / "out")
    assert (again.units, again.unchanged, again.files) == (0, first.units, 0)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    module_store.use(azure, *azure.world.subscriptions)
    module_store.sync()
    grown = write_export(module_store, form, tmp_path / "out")
    assert (grown.units, grown.unchanged) == (1, first.units - 1)
    assert write_export(module_store, form, tmp_path / "out", everything=True).units == first.units


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("csv", "current_scores.csv"),
        ("xlsx", "posture.xlsx"),
        ("jsonl", "{day}/findings.jsonl"),
        ("parquet", "{day}/findings.parquet"),
        ("security-lake", "ext/Secure/notes.txt"),
    ],
)
def test_a_file_of_somebody_else_is_not_replaced(azure, module_store, tmp_path, form, name):
    day = module_store.one("select max(internal.day_of(observed_at)) from raw.fetches")
    out = tmp_path / "out"
    theirs = out / name.format(day=f"day={day}")
    theirs.parent.mkdir(parents=True)
    theirs.write_text("mine")
    with pytest.raises(WarehouseError, match=r"\[export-foreign\]"):
        write_export(module_store, form, out)
    assert [path for path in out.rglob("*") if path.is_file()] == [theirs]
    assert theirs.read_text() == "mine"
    theirs.unlink()
    if form == "security-lake":
        theirs.parent.rmdir()
    write_export(module_store, form, out)
    assert write_export(module_store, form, out, everything=True).units


@pytest.mark.parametrize(
    "name", ["../out.csv", "a/../../out.csv", "/out.csv", "a\nb.csv", "ext/../..", "day=1\x1b[2J/x.csv"]
)
@pytest.mark.parametrize("url", ["{folder}", "memory://secscore/inside"])
def test_no_name_leads_out_of_a_destination(tmp_path, name, url):
    (tmp_path / "local").write_text("text")
    with pytest.raises(WarehouseError, match=r"\[export-outside\]"):
        Destination(url.format(folder=tmp_path / "inside")).put(tmp_path / "local", name)
    assert {path.name for path in tmp_path.rglob("*")} == {"local"}


@pytest.mark.parametrize("setting", ["SECSCORE_EXPORT_SOURCE", "SECSCORE_EXPORT_REGION"])
@pytest.mark.parametrize("given", ["../..", "/etc", "a/b", "..", ".hidden", "a b", "x" * 101, "a\x1b[2Jb"])
def test_a_source_or_region_that_is_a_path_is_refused(monkeypatch, setting, given):
    monkeypatch.setenv(setting, given)
    with pytest.raises(SettingsError, match=r"\[export-layout-malformed\]"):
        read_export_layout()


def uids(folder):
    return sorted(
        json.loads(line)["metadata"]["uid"]
        for file in Path(folder).glob("day=*/findings.jsonl")
        for line in file.read_text().splitlines()
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, 4))
def test_a_kill_at_any_file_is_gone_on_with(azure, module_store, tmp_path, number):
    code = f"""
import os, pathlib, signal, sys
from secscore_pipeline.cli.main import main
replace, left = pathlib.Path.replace, [{number}]
def killed(*given):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(*given)
pathlib.Path.replace = killed
main(["export", "--format", "jsonl", "--output", sys.argv[1]])
"""
    out, temporary = tmp_path / "out", tmp_path / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-c", code, str(out)]
    env = {**os.environ, **module_store.settings, "TMPDIR": str(temporary)}
    assert subprocess.run(command, capture_output=True, check=False, env=env).returncode == -signal.SIGKILL
    assert [path for path in temporary.rglob("*") if path.is_file()] == []
    left = list((out / "_secscore").glob("export.scratch-*"))
    assert left
    assert {folder.stat().st_mode & 0o777 for folder in left} == {0o700}
    write_export(module_store, "jsonl", out)
    assert list((out / "_secscore").iterdir()) == [out / "_secscore" / "jsonl.json"]
    expected = module_store.query("select metadata.uid from ocsf.assessment_findings order by all")
    assert uids(out) == [uid for (uid,) in expected]


def test_any_file_system_of_fsspec_will_do(azure, module_store):
    done = write_export(module_store, "parquet", "memory://secscore/out")
    assert write_export(module_store, "parquet", "memory://secscore/out").unchanged == done.units == 2
    memory = fsspec.filesystem("memory")
    found = memory.glob("/secscore/out/day=*/findings.parquet")
    assert len(found) == 2
    read = 0
    for name in found:
        with memory.open(name) as file:
            read += len(pd.read_parquet(file))
    assert read == done.rows
    memory.rm("/secscore", recursive=True)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("nonsense://user:mark@host/x?sig=mark", "nonsense"),
        ("simplecache::ftp://user:mark@127.0.0.1:9/x", "ftp://127.0.0.1:9/x"),
        ("filecache::simplecache::ftp://user:ma%72k/mark@127.0.0.1:9/x#mark", "ftp://127.0.0.1:9/x"),
        ("zip://x.csv::ftp://mark@127.0.0.1:9/x.zip?mark=mark", "ftp://127.0.0.1:9/x"),
        ("/proc/nothing/here", "No such file or directory|could not be written"),
    ],
)
def test_a_destination_that_cannot_be_used_is_explained_without_its_secrets(azure, module_store, url, why):
    with pytest.raises(WarehouseError, match=why) as raised:
        write_export(module_store, "jsonl", url)
    assert "[export-unwritable]" in str(raised.value)
    assert "mark" not in str(raised.value)


@pytest.mark.slow
def test_the_asset_and_the_command_line_write_what_was_asked_for(local_azure, store, tmp_path):
    out = tmp_path / "exported"
    store.use(local_azure(World(subscriptions=1)), SECSCORE_EXPORTS="jsonl, csv", SECSCORE_EXPORT_URL=str(out))
    made = {found.asset_key: found.materialization for found in store.sync().get_asset_materialization_events()}
    metadata = {form: made[get_export_key(form)].metadata for form in EXPORTS}
    assert {form: one["is_written"].value for form, one in metadata.items()} == {
        "jsonl": True, "parquet": False, "security-lake": False, "csv": True, "xlsx": False,
    }  # fmt: skip
    assert metadata["jsonl"]["rows"].value == 16
    assert (out / "current_scores.csv").exists()
    done = secscore("export", "--format", "parquet", "--format", "jsonl", cwd=tmp_path, env={
        **store.settings, "SECSCORE_EXPORT_URL": str(out)
    })  # fmt: skip
    assert "parquet: 1 written, 0 unchanged, 1 files, 16 rows" in done.stdout
    assert "jsonl: 0 written, 1 unchanged" in done.stdout
    done = secscore("export", "--format", "csv", "--output", "odd://x", cwd=tmp_path, env=store.settings, check=1)
    assert "Traceback" not in done.stderr
    done = secscore("sync", cwd=tmp_path, env={**os.environ, "SECSCORE_EXPORTS": "xml"}, check=2)
    assert "SECSCORE_EXPORTS (3 characters) names something unknown" in done.stderr
