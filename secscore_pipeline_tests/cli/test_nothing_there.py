"""A command on nothing says so, names the next step, and makes nothing."""

import dagster as dg
import pytest

from secscore_pipeline.cli.main import main
from secscore_pipeline.defs.maintenance import maintain
from secscore_pipeline.defs.resources import WarehouseResource
from secscore_pipeline_tests.conftest import secscore

READ_SOMETHING = {
    "status": [["status"], ["status", "--json"]],
    "query": [["query"], ["query", "--format", "csv", "select 1"]],
    "report": [["report"], ["report", "--output", "made/report.html"]],
    "export": [["export", "--format", "csv"], ["export", "--format", "jsonl", "--output", "made"]],
    "maintain": [["maintain"], ["maintain", "--retention-days", "3"]],
    "migrate": [["migrate", "--to", "ducklake:duckdb:lake.db"]],
}
NEED_NO_DATABASE = {
    "alert",
    "sync",
    "test-connection",
    "init",
    "azure-setup",
    "emulator",
    "demo",
    "completion",
    "dev",
    "worker",
}


def test_every_command_is_known_here():
    assert main.commands.keys() == READ_SOMETHING.keys() | NEED_NO_DATABASE


@pytest.mark.slow
@pytest.mark.parametrize("command", READ_SOMETHING)
def test_a_command_on_nothing_says_so_and_makes_nothing(tmp_path, command):
    env = {"SECSCORE_ALERT_WEBHOOK": "http://127.0.0.1:9/hook", "SECSCORE_DATABASE": "data/none.duckdb"}
    for arguments in READ_SOMETHING[command]:
        done = secscore(*arguments, cwd=tmp_path, env=env, check=1)
        assert done.stdout == ""
        assert done.stderr.count("There is no database at ") == 1
        assert "data/none.duckdb yet. Run `secscore sync` first" in done.stderr
        assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_alerts_on_nothing_make_nothing(tmp_path):
    env = {"SECSCORE_ALERT_WEBHOOK": "http://127.0.0.1:9/hook"}
    done = secscore("alert", cwd=tmp_path, env=env)  # nothing is to be told, so that every channel took everything
    assert done.stdout == "0 messages sent.\n"
    assert "There is no database at " in done.stderr
    assert "0 alerts acknowledged" in secscore("alert", "--acknowledge", cwd=tmp_path, env=env).stdout
    assert "cannot be reached" in secscore("alert", "--test", cwd=tmp_path, env=env, check=1).stderr
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_nothing_too(tmp_path):
    (tmp_path / "none.duckdb").touch()
    done = secscore("status", cwd=tmp_path, env={"SECSCORE_DATABASE": "none.duckdb"}, check=1)
    assert "There is no database at " in done.stderr
    done = secscore("maintain", cwd=tmp_path, env={"SECSCORE_DATABASE": "none.duckdb"}, check=1)
    assert "There is no database at " in done.stderr
    assert [(path.name, path.stat().st_size) for path in tmp_path.iterdir()] == [("none.duckdb", 0)]


@pytest.mark.slow
def test_a_lake_that_is_not_there_is_nothing_too(tmp_path):
    env = {"SECSCORE_DATABASE": "ducklake:duckdb:catalog.db"}
    for command in ("status", "maintain"):
        done = secscore(command, cwd=tmp_path, env=env, check=1)
        assert "There is nothing in ducklake:duckdb:catalog.db yet. Run `secscore sync` first" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_upkeep_of_dagster_makes_no_database(tmp_path):
    used = {"warehouse": WarehouseResource(database=str(tmp_path / "data" / "none.duckdb"))}
    with dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}) as instance:
        assert maintain.execute_in_process(instance=instance, resources=used).success
    assert list(tmp_path.iterdir()) == []
