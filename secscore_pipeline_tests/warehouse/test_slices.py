"""What a run reads is loaded in slices, in little memory: neither shows in what is stored."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from secscore_pipeline.warehouse import memory
from secscore_pipeline.warehouse import store as loading
from secscore_pipeline.warehouse.memory import FRUGAL_MEMORY, limit_memory
from secscore_pipeline_tests.conftest import Store, of_files
from secscore_pipeline_tests.support.records import (
    make_assessment,
    make_control,
    make_guid,
    make_score,
    store_records,
)

FIRST = datetime(2026, 11, 1, 5, tzinfo=UTC)
SUBSCRIPTIONS = [make_guid(f"subscription {number}") for number in range(20)]
MEMORY = "select cast(parse_formatted_bytes(current_setting('memory_limit')) as bigint)"

STORED = {
    "scores": "select run_id, page, position, record from raw.secure_scores order by all",
    "controls": "select run_id, page, position, record from raw.secure_score_controls order by all",
    "assessments": "from raw.assessments order by all",
    "findings": "select metadata.uid, status, message from ocsf.assessment_findings order by all",
}


def list_records(day):
    """Return what a sync reads on one of three days: each subscription has more or less of its own, and changes it."""
    places = dict(enumerate(SUBSCRIPTIONS))
    return {
        "secure_scores": {one: [make_score(one, 20 + day * (place % 2), 50, 3)] for place, one in places.items()},
        "secure_score_controls": {
            one: [make_control(one, f"control {number}", 10, day, number) for number in range(place % 5)]
            for place, one in places.items()
        },
        "assessments": {
            one: [
                make_assessment(one, "Encrypt", f"vm{number}")
                for number in range(place % 4 * (0 if day == 1 and place % 3 else 1))
            ]
            for place, one in places.items()
        },
    }


def fill(filled):
    """Store three days, and return all that a reader can see of them."""
    for day in range(3):
        store_records(filled, f"run-{day}", FIRST + timedelta(days=day), list_records(day))
    return {name: filled.query(query) for name, query in STORED.items()}


def test_a_load_in_many_slices_stores_the_same_as_in_one(store, tmp_path, monkeypatch):
    whole = fill(Store(tmp_path / "whole.duckdb", monkeypatch))
    monkeypatch.setattr(loading, "RECORDS_PER_SLICE", 1)
    assert fill(store) == whole
    assert all(whole.values())


@of_files
def test_the_observations_of_a_run_are_in_the_order_of_its_fetches(store, monkeypatch):
    monkeypatch.setattr(loading, "RECORDS_PER_SLICE", 1)
    store_records(store, "run", FIRST, list_records(0))
    stored = store.query("select fetch_id, page, position from internal.observations order by rowid")
    scores, controls = stored[: len(SUBSCRIPTIONS)], stored[len(SUBSCRIPTIONS) :]
    assert (scores, controls) == (sorted(scores), sorted(controls))


@pytest.mark.parametrize("enough", [1, 2, 3])
def test_work_is_done_in_more_memory_where_there_was_too_little(enough):
    before = 700_000_000
    tried = []

    def work():
        tried.append(connection.execute(MEMORY).fetchone()[0])
        if len(tried) < enough:
            raise duckdb.OutOfMemoryException
        return "done"

    with duckdb.connect(config={"memory_limit": f"{before}B"}) as connection:
        assert limit_memory(connection, work) == "done"
        assert connection.execute(MEMORY).fetchone() == pytest.approx((before,), rel=0.001)
    assert tried == pytest.approx([*memory._LIMITS, before][:enough], rel=0.001)


def test_work_that_no_memory_is_enough_for_fails_with_the_limit_as_before():
    def work():
        raise duckdb.OutOfMemoryException("too much")

    with duckdb.connect(config={"memory_limit": "200MB"}) as connection:
        with pytest.raises(duckdb.OutOfMemoryException, match="too much"):
            limit_memory(connection, work)
        assert connection.execute(MEMORY).fetchone() == pytest.approx((200_000_000,), rel=0.001)


def test_no_limit_is_above_what_a_machine_has():
    with duckdb.connect(config={"memory_limit": f"{FRUGAL_MEMORY // 2}B"}) as connection:
        allowed = limit_memory(connection, lambda: connection.execute(MEMORY).fetchone()[0])
    assert allowed == pytest.approx(FRUGAL_MEMORY // 2, rel=0.001)


@pytest.mark.parametrize("before", ["56MB", "800MB", "12345MB"])
def test_a_limit_is_lifted_to_what_it_was_however_often(before):
    setting = "select current_setting('memory_limit')"
    with duckdb.connect(config={"memory_limit": before}) as connection:
        told = connection.execute(setting).fetchone()
        for _ in range(5):
            limit_memory(connection, lambda: None)
            assert connection.execute(setting).fetchone() == told


@of_files
@pytest.mark.parametrize("purpose", ["get_connection", "get_reader"])
def test_what_has_no_room_in_memory_is_in_a_folder_of_the_connection_alone(store, purpose):
    store_records(store, "run", FIRST, list_records(0))
    folders = set()
    for _ in range(2):  # as two processes, one after the other, since one opens a file once
        with getattr(store.warehouse, purpose)() as connection:
            connection.execute("set memory_limit = '20MB'")
            connection.execute("create temp table large as select range, md5(range::varchar) from range(2_000_000)")
            folder = Path(*connection.execute("select current_setting('temp_directory')").fetchone())
            assert folder.parent == store.path.parent
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert sum(file.stat().st_size for file in folder.iterdir()) > 10_000_000
        folders.add(folder)
        assert not folder.exists()
    assert len(folders) == 2
