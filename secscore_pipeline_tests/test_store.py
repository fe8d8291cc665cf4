"""The DuckDB file: private, held by one writer at a time, whole after a kill, and left alone when it is not ours."""

import os
import subprocess
import sys

import duckdb
import pytest

from secscore_pipeline.emulator.world import World
from secscore_pipeline.warehouse.connection import WarehouseError, reading, writing

HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def holder(path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_a_file_that_is_held_is_explained_with_its_holder(tmp_path):
    path = tmp_path / "held.duckdb"
    with writing(path):
        pass
    process = holder(path)
    try:
        with (
            pytest.raises(WarehouseError, match=rf"held open by process {process.pid}"),
            writing(path, lock_patience=0.3),
        ):
            pass
        with pytest.raises(WarehouseError, match="held open by process"), reading(path, lock_patience=0.3):
            pass
    finally:
        process.communicate("")


def test_a_file_that_is_let_go_of_is_opened(tmp_path):
    path = tmp_path / "held.duckdb"
    with writing(path):
        pass
    process = holder(path)
    process.stdin.close()
    with writing(path, lock_patience=30) as connection:
        assert connection.execute("select count(*) from raw.fetches").fetchone() == (0,)
    process.wait()
    process.stdout.close()


def test_everything_that_is_written_is_for_its_owner_alone(tmp_path):
    path = tmp_path / "new" / "folder" / "store.duckdb"
    with writing(path):
        wal = path.with_name("store.duckdb.wal")
        assert not wal.exists() or oct(wal.stat().st_mode & 0o777) == "0o600"
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert oct(path.parent.stat().st_mode & 0o777) == "0o700"


def test_a_database_of_something_else_is_refused(tmp_path):
    path = tmp_path / "other.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table customers (id integer)")
    before = path.read_bytes()
    with pytest.raises(WarehouseError, match="something else"), writing(path):
        pass
    assert path.read_bytes() == before


def test_two_runs_at_once_both_end_well(local_azure, tmp_path):
    azure = local_azure(World(subscriptions=4))
    env = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), **azure.settings(),
        "SECSCORE_DATABASE": str(tmp_path / "store.duckdb"),
    }  # fmt: skip
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "secscore_pipeline.cli", "sync"], cwd=tmp_path, env=env,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    errors = [run.communicate(timeout=120)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], errors
    with reading(tmp_path / "store.duckdb") as connection:
        assert connection.execute(
            "select count(*), count(distinct metadata.uid), count(*) filter (where activity_id = 1) "
            "from ocsf.assessment_findings"
        ).fetchone() == (128, 128, 64)
