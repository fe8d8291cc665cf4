"""`kill -9` and a full disk at any moment: nothing torn, nothing twice, nothing lost once a plain run has followed."""

import os
import resource
import signal
import subprocess
import sys

import duckdb
import pytest

from secscore_pipeline.emulator.world import World
from secscore_pipeline_tests.conftest import of_files, secscore
from secscore_pipeline_tests.fuzzing.commands import Commands
from testbed.waiting import DEADLINE

pytestmark = of_files

SUBSCRIPTIONS = 6

TABLES = {
    "fetches": """
        select event_type, subscription_id, outcome, http_status, pages, records from raw.fetches
        where event_type = $event_type and run_id = $run_id order by all""",
    "records": """
        select subscription_id, page, position, record_id, name, record from raw.records
        where event_type = $event_type and run_id = $run_id order by all""",
    "findings": """
        select finding_info.uid, activity_name, severity, message, finding_info.modified_time, compliance, resources,
            unmapped, raw_data, metadata.correlation_uid = $run_id
        from ocsf.assessment_findings
        where metadata.event_code = if($event_type = 'secure_scores', 'secureScores', 'secureScoreControls')
            and metadata.correlation_uid = $run_id order by all""",
}


def stored(store):
    """Return what the store holds: of each event type, its snapshots in order, without their ids and times."""
    held = {}
    for event_type in ("secure_scores", "secure_score_controls"):
        snapshots = store.query(
            "select run_id from raw.fetches where event_type = ? group by all order by min(observed_at)",
            event_type,
        )
        held[event_type] = [
            {name: store.query(query, {"event_type": event_type, "run_id": run_id}) for name, query in TABLES.items()}
            for (run_id,) in snapshots
        ]
    return held


@pytest.fixture(scope="module")
def mortal(tmp_path_factory):
    """Return a function that runs a sync in a process that dies at the given instant."""
    with Commands(tmp_path_factory.mktemp("dying")) as commands:

        def run(environment, at="never", number=0, sent=signal.SIGKILL):
            ended = commands.run(environment, "sync", at=at, number=number, sent=sent)
            return ended.code, ended.statements

        yield run


@pytest.fixture
def azure(local_azure, store):
    azure = local_azure(World(subscriptions=SUBSCRIPTIONS))
    store.use(azure, SECSCORE_MAX_CONNECTIONS="1")
    return azure


@pytest.fixture
def environment(azure, store):
    return {**azure.settings(), **store.settings, "SECSCORE_MAX_CONNECTIONS": "1"}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, mortal):
    """Return what undisturbed runs store, how many statements one takes, and how long its file gets.

    A run that failed has stored nothing, one event type, or both; then a whole run follows.
    """
    from secscore_pipeline.emulator.server import LocalAzure
    from secscore_pipeline_tests.conftest import Store

    possible, measured = [], []
    with LocalAzure(World(subscriptions=SUBSCRIPTIONS)) as azure:
        everything = "secure_scores,secure_score_controls"
        for first in (None, "secure_scores", "secure_score_controls", everything):
            store = Store(tmp_path_factory.mktemp("undisturbed") / "store.duckdb", pytest.MonkeyPatch())
            environment = {**azure.settings(), **store.settings, "SECSCORE_MAX_CONNECTIONS": "1"}
            if first:
                assert mortal({**environment, "SECSCORE_EVENT_TYPES": first})[0] == 0
            code, statements = mortal({**environment, "SECSCORE_EVENT_TYPES": everything})
            assert code == 0
            measured.append((statements, store.path.stat().st_size))
            possible.append(stored(store))
    return possible, *measured[0]


LOOKS = "select * from raw.fetches order by all"


def repaired(store, possible):
    """Run once more, undisturbed, and hold the tables against those of runs that nothing ever disturbed."""
    store.sync()
    assert stored(store) in possible
    assert store.one("select count(*) from raw.fetches anti join internal.normalized_fetches using (run_id)") == 0
    assert store.one("select count(*) = count(distinct metadata.uid) from ocsf.assessment_findings")
    assert store.leftovers() == set()
    with duckdb.connect(str(store.published), read_only=True) as published:
        assert published.execute(LOOKS).fetchall() == store.query(LOOKS)


@pytest.mark.parametrize("number", range(1, 2 * SUBSCRIPTIONS + 1, 2))
def test_a_run_killed_at_any_request_is_repaired_by_the_next(azure, store, environment, undisturbed, mortal, number):
    def kill(count):
        if count == number:
            os.kill(child.pop(), signal.SIGKILL)

    child = []
    azure.on_arm_request = kill
    process = subprocess.Popen(
        [sys.executable, "-m", "secscore_pipeline.cli", "sync"],
        cwd=store.path.parents[1],
        env={"PATH": os.environ["PATH"], "HOME": str(store.path.parents[1]), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    child.append(process.pid)
    assert process.wait(timeout=DEADLINE) == -signal.SIGKILL
    azure.on_arm_request = None
    repaired(store, undisturbed[0])


@pytest.mark.parametrize("at", ["statement", "after_statement"])
@pytest.mark.parametrize("share", [number / 6 for number in range(1, 6)])
def test_a_run_killed_at_any_statement_is_repaired_by_the_next(
    azure, store, environment, undisturbed, mortal, at, share
):
    expected, statements, _ = undisturbed
    assert mortal(environment, at, max(1, round(share * statements)))[0] == -signal.SIGKILL
    repaired(store, expected)


@pytest.mark.parametrize("share", [number / 8 for number in range(1, 8)])
def test_a_run_stopped_at_any_statement_says_so_at_once_and_the_next_repairs_it(
    azure, store, environment, undisturbed, mortal, share
):
    expected, statements, _ = undisturbed
    number = max(1, round(share * statements))
    sent = (signal.SIGINT, signal.SIGTERM)[number % 2]
    assert mortal(environment, "statement", number, sent)[0] == 128 + sent
    repaired(store, expected)


@pytest.mark.parametrize("share", [0.001, 0.02, 0.04, 0.08, 0.15, 0.4, 0.7])
def test_a_run_killed_in_the_middle_of_a_write_is_repaired_by_the_next(
    azure, store, environment, undisturbed, mortal, share
):
    expected, _, size = undisturbed
    assert mortal(environment, "byte", round(share * size))[0] == -signal.SIGXFSZ
    repaired(store, expected)


@pytest.mark.parametrize("share", [0.001, 0.02, 0.1, 0.9])
def test_a_full_disk_is_explained_and_the_next_run_repairs_it(azure, store, environment, undisturbed, share):
    """What no longer fits is explained; where only DuckDB's checkpoint no longer fits, the log has everything."""
    possible, _, size = undisturbed
    limit = round(share * size)
    done = secscore(
        "sync",
        cwd=store.path.parents[1],
        env=environment,
        check=None,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert "Traceback" not in done.stderr
    assert "--verbose" not in done.stderr
    if share < 0.9:
        assert "make room" in done.stderr.lower(), done.stderr
    else:
        assert done.returncode == 4
        assert f"stored in {store.path}, but not published: there is nothing" in done.stderr
        assert "[not-published]" in done.stderr
        assert stored(store) == possible[0]
    repaired(store, possible)
