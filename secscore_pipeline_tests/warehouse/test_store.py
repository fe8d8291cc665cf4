"""The DuckDB file: private, held by one writer at a time, whole after a kill, and left alone when it is not ours."""

import os
import subprocess
import sys
from datetime import timedelta

import duckdb
import pytest

from secscore_pipeline.config.registry import EVENT_TYPES
from secscore_pipeline.emulator.world import World
from secscore_pipeline.warehouse import schema
from secscore_pipeline.warehouse.connection import open_for_reading, open_for_writing
from secscore_pipeline.warehouse.errors import WarehouseError
from secscore_pipeline.warehouse.store import KEPT_AS_SPANS, delete_old_fetches
from secscore_pipeline_tests.conftest import failed_checks, of_files
from secscore_pipeline_tests.support.recommendations import (
    DISK,
    MFA,
    SUBSCRIPTION,
    RecommendationStore,
    make_assessment,
    make_control,
    make_metadata,
)
from secscore_pipeline_tests.support.records import make_score
from testbed.waiting import DEADLINE

HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "reading")
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "store.duckdb"
    with open_for_writing(path):
        pass
    return path


def open_elsewhere(path, purpose):
    """Return a process that has a file open, for `writing` or `reading`, until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), purpose], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "open\n"
    return process


def test_a_file_that_is_held_is_explained_with_its_holder(database):
    path, process = database, open_elsewhere(database, "writing")
    try:
        with (
            pytest.raises(WarehouseError, match=rf"held open by process {process.pid}"),
            open_for_writing(path, lock_patience=0.3),
        ):
            pass
        with pytest.raises(WarehouseError, match="held open by process"), open_for_reading(path, lock_patience=0.3):
            pass
    finally:
        process.communicate("")


def test_a_file_that_is_let_go_of_is_opened(database):
    path, process = database, open_elsewhere(database, "writing")
    process.stdin.close()
    with open_for_writing(path, lock_patience=DEADLINE) as connection:
        assert connection.execute("select count(*) from raw.fetches").fetchone() == (0,)
    process.wait()
    process.stdout.close()


def test_everything_that_is_written_is_for_its_owner_alone(tmp_path):
    path = tmp_path / "new" / "folder" / "store.duckdb"
    with open_for_writing(path):
        wal = path.with_name("store.duckdb.wal")
        assert not wal.exists() or oct(wal.stat().st_mode & 0o777) == "0o600"
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert oct(path.parent.stat().st_mode & 0o777) == "0o700"


def test_a_database_of_something_else_is_refused(tmp_path):
    path = tmp_path / "other.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table customers (id integer)")
    before = path.read_bytes()
    with pytest.raises(WarehouseError, match="something else"), open_for_writing(path):
        pass
    assert path.read_bytes() == before


@pytest.mark.slow
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
    errors = [run.communicate(timeout=DEADLINE)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], errors
    with open_for_reading(tmp_path / "store.duckdb") as connection:
        assert connection.execute(
            "select count(*), count(distinct metadata.uid), count(*) filter (where activity_id = 1) "
            "from ocsf.assessment_findings"
        ).fetchone() == (128, 128, 64)


@of_files
def test_an_older_database_is_migrated_with_all_it_holds(local_azure, store, monkeypatch):
    store.use(local_azure(World(subscriptions=1)))
    store.sync()
    before = store.query("from raw.fetches order by all")
    findings = store.query("from ocsf.assessment_findings order by time, metadata.uid")
    known = schema.list_schema_steps
    added = "create table raw.notes (note varchar); insert into raw.notes select fetch_id from raw.fetches;"
    later = schema.Step(2, "0002_notes.sql", added)
    monkeypatch.setattr(
        schema, "list_schema_steps", lambda folder: (*known(folder), *((later,) if folder == "migrations" else ()))
    )
    with store.warehouse.get_connection():
        pass  # migrated
    assert store.query("select version, name from meta.migrations order by version")[-1] == (2, "0002_notes.sql")
    assert store.one("select count(*) from raw.notes") == len(before)
    assert store.query("from raw.fetches order by all") == before
    assert store.query("from ocsf.assessment_findings order by time, metadata.uid") == findings


def test_time_never_runs_backwards_when_the_clock_is_set_back(local_azure, store):
    store.use(local_azure(World(subscriptions=2)))
    store.sync()
    # As if the clock had been a day ahead during the first run.
    store.write("update raw.fetches set observed_at = observed_at + interval 1 day")
    rebuilt = {"ops": {"ocsf__assessment_findings": {"config": {"rebuild": True}}}}
    result = store.sync(config=rebuilt)
    assert failed_checks(result) >= {"secure_scores: clock_runs_forward", "secure_score_controls: clock_runs_forward"}
    lives = store.query(
        "select list(time order by metadata.logged_time, time), list(activity_name order by time), "
        "list(finding_info.first_seen_time) from ocsf.assessment_findings group by finding_info.uid"
    )
    assert len(lives) == 2 * 16
    for times, activities, first_seen in lives:
        assert times[0] < times[1]
        assert activities == ["Create", "Update"]
        assert set(first_seen) == {times[0]}


def test_the_event_types_with_findings_are_those_that_can_be_read(store):
    days = RecommendationStore(store)
    found = days.query("select event_type, is_scored from internal.event_types_with_findings order by place")
    assert found == [(name, name not in KEPT_AS_SPANS) for name in EVENT_TYPES]


def test_a_record_version_has_the_event_type_of_its_first_fetch_also_after_a_retention(store):
    days = RecommendationStore(store)
    for day in range(4):
        control = make_control(1 + day, 1, [MFA])
        days.sync(
            {
                "secure_scores": [make_score(SUBSCRIPTION, 5 + day, 10, 3)],
                "secure_score_controls": [control],
                "assessments": [
                    make_assessment(MFA, "a", "Healthy" if day % 2 else "Unhealthy"),
                    make_assessment(DISK, "a"),
                ],
                "assessment_metadata": [make_metadata(MFA, userImpact=f"level {day}"), make_metadata(DISK)],
            }
        )
    compared = (
        "select versions.event_type, count(*), count(*) filter (where fetches.event_type = versions.event_type) "
        "from internal.record_versions as versions "
        "left join raw.fetches as fetches on fetches.fetch_id = versions.first_fetch_id group by all order by all"
    )
    assert days.query(compared) == [
        ("assessment_metadata", 5, 5), ("assessments", 5, 5), ("secure_score_controls", 4, 4), ("secure_scores", 4, 4)
    ]  # fmt: skip
    with days.open() as connection:
        delete_old_fetches(connection, days.now - timedelta(days=1))
    after = days.query(compared)
    assert [row[0] for row in after] == ["assessment_metadata", "assessments", "secure_score_controls", "secure_scores"]
    assert all(versions == agreeing for _, versions, agreeing in after)
    assert sum(versions for _, versions, _ in after) < 18


def test_a_reader_that_holds_the_file_open_is_named(database):
    path, process = database, open_elsewhere(database, "reading")
    try:
        with pytest.raises(WarehouseError, match=f"process {process.pid}"), open_for_writing(path, lock_patience=0.3):
            pass
        with open_for_reading(path, lock_patience=0.3) as connection:
            assert connection.execute("select count(*) from raw.fetches").fetchone() == (0,)
    finally:
        process.communicate("")
