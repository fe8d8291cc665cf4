"""The database for readers: never locked, always whole, replaced in one step."""

import os
import shutil
import threading
from functools import partial
from pathlib import Path

import duckdb
import pytest

from secscore_pipeline.emulator.world import World
from secscore_pipeline.warehouse.errors import WarehouseError
from secscore_pipeline.warehouse.warehouse import Warehouse
from secscore_pipeline_tests.conftest import of_files, secscore
from testbed import hammering
from testbed.waiting import DEADLINE

pytestmark = of_files

HOLDING = """
import sys, duckdb
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    query = "select count(distinct run_id) from raw.fetches"
    print(connection.execute(query).fetchone(), flush=True)
    sys.stdin.readline()
    print(connection.execute(query).fetchone())
"""


@pytest.fixture
def python(spawned):
    """Start Python processes with a program; they end with the test."""
    return partial(spawned, "-c")


@pytest.mark.slow
def test_readers_and_runs_do_not_disturb_one_another(local_azure, store, python):
    program = Path(hammering.__file__).read_text(encoding="utf-8")
    azure = local_azure(World(subscriptions=3))
    store.use(azure)
    store.sync()
    readers = [python(program, store.published, 3 * 2) for _ in range(2)]
    for reader in readers:
        assert reader.stdout.readline() == "reading\n"
    holding = python(HOLDING, store.published)
    assert holding.stdout.readline() == "(1,)\n"
    for _ in range(4):
        store.sync()
    said, complaints = holding.communicate("end\n", timeout=DEADLINE)
    assert said == "(1,)\n", complaints
    for reader in readers:
        said, complaints = reader.communicate("end\n", timeout=DEADLINE)
        assert reader.returncode == 0, complaints
        reads, newest = map(int, said.split())
        assert reads > 4
        assert newest >= 2
    assert read(store.published, "select count(distinct run_id) from raw.fetches") == (5,)


def read(path, query):
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query).fetchone()


@pytest.mark.slow
def test_a_published_file_that_is_open_for_writing_blocks_no_run(local_azure, store, python):
    store.use(local_azure(World(subscriptions=1)))
    store.sync()
    store.published.chmod(0o600)
    code = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
connection.execute("set checkpoint_threshold = '1GB'")
connection.execute("create table mine as select 1")
print("holding", flush=True)
sys.stdin.readline()
connection.execute("create table more as select 2")
"""
    writer = python(code, store.published)
    assert writer.stdout.readline() == "holding\n"
    assert store.published.with_name(f"{store.published.name}.wal").exists()
    store.sync()
    assert read(store.published, "select count(distinct run_id) from raw.fetches") == (2,)
    _, complaints = writer.communicate("go on\n", timeout=DEADLINE)
    assert writer.returncode == 0, complaints
    store.sync()
    assert read(store.published, "select count(distinct run_id) from raw.fetches") == (3,)


@pytest.mark.slow
def test_the_published_file_can_only_be_read_and_only_by_its_owner(local_azure, store):
    store.use(local_azure(World(subscriptions=1)))
    store.sync()
    assert store.published.stat().st_mode & 0o777 == 0o400
    assert store.path.stat().st_mode & 0o777 == 0o600
    with Warehouse.from_environment().get_published() as connection:
        counts = connection.execute("select count(*) from raw.records").fetchone()
    assert counts == store.query("select count(*) from raw.records")[0]
    comments = read(store.published, "select count(*) from duckdb_columns() where comment is null and not internal "
                    "and schema_name in ('raw', 'ocsf', 'posture', 'internal')")  # fmt: skip
    assert comments == (0,)


@pytest.mark.slow
def test_a_store_that_is_gone_begins_as_what_was_published(local_azure, store):
    store.use(local_azure(World(subscriptions=2)))
    store.sync()
    before = store.query("select * from ocsf.assessment_findings order by all")
    store.path.unlink()
    store.sync()
    assert store.one("select count(distinct run_id) from raw.fetches") == 2
    first = "select * from ocsf.assessment_findings where metadata.correlation_uid = ? order by all"
    (run_id,) = {row[0] for row in store.query("select min_by(run_id, stored_at) from raw.fetches")}
    assert store.query(first, run_id) == before


@pytest.mark.slow
def test_a_log_without_its_file_is_not_replayed_into_what_was_published(local_azure, store, python):
    store.use(local_azure(World(subscriptions=1)))
    store.sync()
    code = """
import os, sys, duckdb
connection = duckdb.connect(sys.argv[1])
connection.execute("create table stray as select 1")
os._exit(0)
"""
    python(code, store.path).communicate(timeout=DEADLINE)
    assert store.path.with_name(f"{store.path.name}.wal").exists()
    store.path.unlink()
    store.sync()
    assert store.one("select count(*) from duckdb_tables() where table_name = 'stray'") == 0
    assert store.one("select count(distinct run_id) from raw.fetches") == 2


@pytest.mark.slow
def test_a_run_that_stores_nothing_publishes_nothing(local_azure, store):
    azure = local_azure(World(subscriptions=2))
    store.use(azure)
    store.sync()
    before = store.published.stat().st_ino
    store.use(azure, AZURE_CLIENT_SECRET="wrong-" + "x" * 20)
    store.sync(succeeds=False)
    assert store.published.stat().st_ino == before


@pytest.mark.slow
def test_a_file_of_something_else_is_never_replaced(local_azure, store):
    store.use(local_azure(World(subscriptions=1)))
    store.sync()
    store.published.unlink()
    with duckdb.connect(str(store.published)) as connection:
        connection.execute("create table theirs as select 1 as a")
    before = store.published.read_bytes()
    with pytest.raises(WarehouseError, match="is a DuckDB file of something else"):
        Warehouse.from_environment().publish()
    store.path.unlink()
    with pytest.raises(WarehouseError, match="is a DuckDB file of something else"):
        store_it()
    store.published.write_bytes(b"notes")
    with pytest.raises(WarehouseError, match="is no DuckDB file"):
        Warehouse.from_environment().publish()
    assert store.published.read_bytes() == b"notes"
    assert before


def store_it():
    with Warehouse.from_environment().get_connection():
        raise AssertionError("it was opened")


@pytest.mark.slow
@pytest.mark.parametrize("instant", ["os.fsync", "pathlib.Path.replace"])
def test_a_kill_while_publishing_leaves_the_old_file_whole(local_azure, store, python, instant):
    store.use(local_azure(World(subscriptions=1)))
    store.sync()
    before = store.published.read_bytes()
    code = f"""
import os, pathlib, signal
from secscore_pipeline.warehouse.warehouse import Warehouse
{instant} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
Warehouse.from_environment().publish()
"""
    killed = python(code)
    killed.communicate(timeout=DEADLINE)
    assert killed.returncode == -9
    assert store.published.read_bytes() == before
    Warehouse.from_environment().publish()
    assert store.leftovers() == set()


@pytest.mark.slow
def test_where_there_is_no_room_for_the_copy_the_old_file_stays(local_azure, store, python):
    store.use(local_azure(World(subscriptions=1)))
    store.sync()
    before = store.published.read_bytes()
    code = """
import resource, signal, sys
from secscore_pipeline.warehouse.warehouse import Warehouse
warehouse = Warehouse.from_environment()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    warehouse.publish()
except Exception as error:
    print(type(error).__name__, error)
"""
    said, complaints = python(code).communicate(timeout=DEADLINE)
    assert said.startswith("WarehouseError"), said + complaints
    assert "[not-published]" in said
    assert store.published.read_bytes() == before


def test_readers_and_runs_cannot_share_one_file(tmp_path):
    path = str(tmp_path / "one.duckdb")
    env = {"SECSCORE_DATABASE": path, "SECSCORE_WORK_DATABASE": path}
    done = secscore("maintain", cwd=tmp_path, check=2, env=env)
    assert "is SECSCORE_DATABASE itself" in done.stderr
    assert "[work-is-published]" in done.stderr


@pytest.mark.slow
def test_what_was_one_file_before_goes_on_as_two(local_azure, store):
    store.use(local_azure(World(subscriptions=1)))
    store.sync()
    shutil.move(store.path, store.path.with_name("old.duckdb"))
    old = store.path.with_name("old.duckdb")
    env = {**os.environ, "SECSCORE_DATABASE": str(old), "SECSCORE_WORK_DATABASE": ""}
    secscore("sync", cwd=old.parent, env=env)
    assert read(old, "select count(distinct run_id) from raw.fetches") == (2,)
    assert read(old.with_name("old.work.duckdb"), "select count(distinct run_id) from raw.fetches") == (2,)


@pytest.mark.slow
def test_a_backup_taken_while_runs_go_on_brings_everything_back(local_azure, store, tmp_path):
    """What docs/operate.md says: copy the published file whenever you like; put the copy back; the next run goes on."""
    store.use(local_azure(World(subscriptions=2)))
    store.sync()
    copies, is_over = [], threading.Event()

    def back_up():
        while not is_over.is_set():
            copies.append(shutil.copyfile(store.published, tmp_path / f"backup-{len(copies)}.duckdb"))

    copying = threading.Thread(target=back_up)
    copying.start()
    for _ in range(2):
        store.sync()
    is_over.set()
    copying.join()
    whole = "select count(distinct run_id), count(*) = 4 * count(distinct run_id) from raw.fetches"
    sample = copies[:: max(len(copies) // 20, 1)]
    assert {read(copy, whole) for copy in sample} <= {(1, True), (2, True), (3, True)}
    kept = copies[-1]
    events = "select * from ocsf.assessment_findings order by all"
    with duckdb.connect(str(kept), read_only=True) as connection:
        before = connection.execute(events).fetchall()
    assert before

    shutil.rmtree(store.path.parent)
    store.published.parent.mkdir()
    shutil.copyfile(kept, store.published)
    newest = store.sync().run_id
    after = store.query(events.replace("order", "where metadata.correlation_uid <> ? order"), newest)
    assert after == before
    assert read(store.published, "select count(distinct run_id) from raw.fetches") == (read(kept, whole)[0] + 1,)
    activities = {row[0] for row in store.query(
        "select distinct activity_name from ocsf.assessment_findings where metadata.correlation_uid = ?", newest
    )}  # fmt: skip
    assert activities == {"Update"}  # they live on: nothing is created anew, and nothing closed
