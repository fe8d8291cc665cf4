"""What was stored reaches readers, whatever else goes wrong in a run; then the run fails, and says so."""

import duckdb
import pytest

from secscore_pipeline.emulator.faults import Fault, Kind
from secscore_pipeline.emulator.world import State, World
from secscore_pipeline.ingest import fetches
from secscore_pipeline_tests.conftest import of_files, secscore

FORBIDDEN = "00000000-0000-0000-0000-000000000001"


def told_by(result):
    """Return what the failed steps say, as the sensor of failed runs tells it."""
    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return [failure.user_failure_data.description for failure in failures]


def made_by(result):
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}


def published(store, query):
    with store.warehouse.get_published() as connection:
        return connection.execute(query).fetchall()


def test_a_strict_run_publishes_and_exports_what_is_true_and_fails(local_azure, store, tmp_path):
    world = World(subscriptions=1)
    world.add_subscription(FORBIDDEN, State.FORBIDDEN)
    exports = {"SECSCORE_EXPORTS": "jsonl", "SECSCORE_EXPORT_URL": str(tmp_path / "exports")}
    store.use(local_azure(world), SECSCORE_PARTIAL_FAILURE="fail", **exports)
    result = store.sync(succeeds=False)
    (said,) = told_by(result)
    assert said.startswith("ocsf/assessment_findings: snapshot_is_whole: 2 exceptions")
    assert "[forbidden]" in said
    assert "\\" not in said  # escaped for the UI's Markdown only
    assert {"posture/database", "exports/jsonl"} <= made_by(result)
    assert published(store, "select count(*) from ocsf.assessment_findings") == [(16,)]
    assert published(store, "select count(*) from posture.coverage where last_outcome = 'forbidden'") == [(2,)]
    assert list((tmp_path / "exports").rglob("*.jsonl*"))


def test_an_event_type_that_cannot_be_read_costs_readers_nothing_of_the_other(local_azure, store):
    azure = local_azure(World(subscriptions=2))
    azure.faults.append(Fault(Kind.STATUS, path="/secureScoreControls", status=403))
    store.use(azure)
    result = store.sync(succeeds=False)
    (said,) = told_by(result)
    assert said.startswith("No secure_score_controls could be read")
    assert published(store, "select count(*) from posture.current_scores") == [(2,)]
    azure.faults.clear()
    store.sync()
    assert published(store, "select count(*) from posture.current_controls") == [(30,)]


def test_an_error_that_nobody_foresaw_costs_its_event_type_alone(local_azure, store, monkeypatch):
    def break_down(connection, spool, run_id, event_type, *rest):
        if event_type == "secure_scores":
            raise ZeroDivisionError("eyJhbGciOi.secret.text")
        return load(connection, spool, run_id, event_type, *rest)

    load = fetches.load_fetches
    monkeypatch.setattr(fetches, "load_fetches", break_down)
    store.use(local_azure(World(subscriptions=2)))
    (said,) = told_by(store.sync(succeeds=False))
    assert "secure_scores could not be read (ZeroDivisionError)" in said
    assert "eyJ" not in said
    assert published(store, "select count(*) from posture.current_controls") == [(30,)]


@of_files
def test_a_failed_export_keeps_readers_from_nothing(local_azure, store, tmp_path):
    (tmp_path / "taken").touch()
    env = {**local_azure(World(subscriptions=1)).settings(), **store.settings, "SECSCORE_EXPORTS": "jsonl"}
    done = secscore("sync", cwd=tmp_path, env={**env, "SECSCORE_EXPORT_URL": str(tmp_path / "taken" / "x")}, check=3)
    assert "[export-unwritable]" in done.stderr
    assert published(store, "select count(*) from raw.fetches") == [(2,)]


@pytest.mark.slow
@of_files
def test_a_sync_that_cannot_publish_says_what_is_stored_and_what_readers_have(local_azure, store, tmp_path):
    env = {**local_azure(World(subscriptions=1)).settings(), **store.settings}
    nowhere = {**env, "SECSCORE_DATABASE": "/proc/secscore/scores.duckdb"}
    done = secscore("sync", cwd=tmp_path, env=nowhere, check=4)
    assert "Traceback" not in done.stderr
    assert f"stored in {store.path}, but not published: there is nothing" in done.stderr
    assert "[run-unpublished]" in done.stderr
    assert "Secure scores" not in done.stdout
    with duckdb.connect(str(store.path), read_only=True) as connection:
        assert connection.execute("select count(*) from raw.fetches").fetchone() == (2,)
    secscore("maintain", cwd=tmp_path, env=env)
    assert published(store, "select count(*) from raw.fetches") == [(2,)]
