"""The store that `bench/recommendation_history.py` makes is what syncs of whole lists would have made."""

import shutil
from datetime import UTC, datetime, timedelta

import duckdb

from bench import recommendation_history as history
from secscore_pipeline.emulator.world import World
from secscore_pipeline.ocsf.mapping import Normalization
from secscore_pipeline.warehouse.connection import open_for_writing
from secscore_pipeline.warehouse.store import normalize

TABLES = (
    "raw.fetches",
    "internal.record_versions",
    "internal.record_spans",
    "internal.latest_versions",
    "internal.parsed_assessments",
    "internal.findings",
    "internal.recommendation_events",
)


def test_a_day_of_changes_is_stored_as_a_sync_of_whole_lists(tmp_path):
    world = World(subscriptions=2, assessments=300)
    first = datetime(2026, 11, 1, 5, tzinfo=UTC)
    second = first + timedelta(days=1)
    whole, changes = tmp_path / "whole.duckdb", tmp_path / "changes.duckdb"
    with open_for_writing(whole) as connection:
        history.load_lists(connection, whole, world, "assessments", first, history.list_assessments(world))
        normalize(connection, Normalization().build_mapping())
    shutil.copy(whole, changes)
    with open_for_writing(changes) as connection:
        changed = history.choose_changes(connection, second, 30)
        history.store_changes(connection, changes, world, second, changed)
        normalize(connection, Normalization().build_mapping())
    texts = {row["version_id"]: row["text"] for row in changed}
    with open_for_writing(whole) as connection:
        rows = connection.execute(
            "select subscription_id, version_id, record from internal.record_spans "
            "join internal.record_versions using (version_id) order by subscription_id, page, position"
        ).fetchall()
        lists = [
            (name, [texts.get(version_id, record) for whose, version_id, record in rows if whose == name])
            for name in world.subscriptions
        ]
        history.load_lists(connection, whole, world, "assessments", second, lists)
        normalize(connection, Normalization().build_mapping())
    assert {row["is_replaced"] for row in changed} == {True, False}
    assert len(changed) == 30
    for table in TABLES:
        assert _read(changes, table) == _read(whole, table), table


def _read(path, table):
    with duckdb.connect(str(path), read_only=True) as connection:
        return sorted(connection.execute(f"from {table}").fetchall(), key=repr)
