"""The store on DuckLake: several processes write it, readers see wholes, a file is moved into it, faults are told."""

import json
import os
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Barrier

import duckdb
import pytest
import requests
from moto.server import ThreadedMotoServer

from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.emulator.world import World
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse import transactions as turns
from secscore_pipeline.warehouse.errors import WarehouseError
from secscore_pipeline.warehouse.lake import Lake, _Engine, _load
from secscore_pipeline.warehouse.moving import move
from secscore_pipeline.warehouse.statements import quote_literal
from secscore_pipeline.warehouse.warehouse import Warehouse
from secscore_pipeline_tests.conftest import Store, secscore
from testbed import postgresql
from testbed.waiting import DEADLINE, awaited

HELD = """
select
    (select count(*) from raw.fetches) as looks,
    (select count(distinct fetch_id) from raw.fetches) as fetch_ids,
    (select count(*) from internal.record_versions) as bodies,
    (select count(distinct version_id) from internal.record_versions) as body_ids,
    (select count(*) from internal.findings) as findings,
    (select count(distinct finding_uid) from internal.findings) as finding_uids,
    (select count(*) from ocsf.assessment_findings) as events,
    (select count(distinct metadata.uid) from ocsf.assessment_findings) as event_uids
"""

READING = """
import sys
from secscore_pipeline.warehouse.warehouse import Warehouse
from secscore_pipeline.warehouse.errors import WarehouseError
warehouse, each, reads = Warehouse.from_environment(), int(sys.argv[1]), 0
print("reading", flush=True)
import select
while not select.select([sys.stdin], [], [], 0)[0]:
    with warehouse.get_published() as connection:
        snapshots = connection.execute(
            "select event_type, run_id, count(*) from raw.fetches group by all having count(*) <> $each",
            {"each": each}).fetchall()
    assert not snapshots, snapshots
    reads += 1
print(reads)
"""

WRITING = """
import sys
from secscore_pipeline.warehouse.warehouse import Warehouse
from secscore_pipeline.warehouse.transactions import transaction
with Warehouse.from_environment().get_connection() as connection, transaction(connection):
    connection.execute("insert into internal.record_versions values (7, 1, 'secure_scores', 1, '{}')")
    print("writing", flush=True)
    sys.stdin.readline()
"""

INSERT_VERSION = "insert into internal.record_versions values ($n, 1, 'secure_scores', 1, '{}')"


@pytest.fixture
def lake(tmp_path, monkeypatch, lake_catalog):
    """Return an empty lake as a store."""
    return Store(tmp_path / "store" / "secscore", monkeypatch, lake_catalog)


def held(store):
    (row,) = store.query(HELD)
    return dict(zip(re.findall(r"as (\w+),?$", HELD, re.MULTILINE), row, strict=True))


@pytest.fixture
def processes(spawned):
    """Start Python processes with the settings of a store; they end with the test."""

    def start(arguments, store, azure=None, **more):
        settings = {**(azure.settings() if azure else {}), **store.settings, **more}
        home = store.path.parents[1]
        return spawned(*arguments, cwd=home, env={"PATH": os.environ["PATH"], "HOME": str(home), **settings})

    return start


def failures(result):
    """Return all that a run told of why it failed."""
    told = [event.step_failure_data.user_failure_data for event in result.all_events if event.is_step_failure]
    return "\n".join(one.description for one in told if one)


@pytest.mark.slow
def test_several_processes_write_and_readers_see_whole_snapshots(local_azure, lake, processes):
    azure = local_azure(World(subscriptions=5))
    lake.use(azure)
    lake.sync()
    reader = processes(["-c", READING, "5"], lake)
    assert reader.stdout.readline() == "reading\n"
    writers = [
        processes(["-m", "secscore_pipeline.cli", "sync"], lake, azure,
                  SECSCORE_WORK_DATABASE=str(lake.path.with_name(f"host-{number}")))
        for number in range(3)
    ]  # fmt: skip
    for writer in writers:
        said, complaints = writer.communicate(timeout=DEADLINE)
        assert writer.returncode == 0, said + complaints
    said, complaints = reader.communicate("end\n", timeout=DEADLINE)
    assert reader.returncode == 0, complaints
    assert int(said) >= 1
    once = held(lake)
    assert once == {
        "looks": 40, "fetch_ids": 40, "bodies": 80, "body_ids": 80, "findings": 80, "finding_uids": 80,
        "events": 320, "event_uids": 320,
    }  # fmt: skip


def test_several_processes_make_a_lake_at_once(tmp_path, postgres_server):
    together = Barrier(4)

    def make(lake):
        engine = _Engine(("ducklake", "postgres_scanner"))  # as a process of its own would have
        together.wait()
        with engine.lake(lake, "", is_kept=False) as name:
            return engine.connection.execute(f"from {name}.current_snapshot()").fetchone()

    with ThreadPoolExecutor(4) as threads:
        for number in range(3):
            catalog = postgres_server.lake(postgres_server.new_database()).removeprefix("ducklake:")
            lake = Lake(catalog, f"{tmp_path}/lake-{number}/", tmp_path / "beside")
            assert list(threads.map(make, [lake] * 4)) == [(0,)] * 4


def test_without_turns_writers_clash_and_do_it_again(lake, monkeypatch):
    with lake.warehouse.get_connection() as first, lake.warehouse.get_connection() as second:
        for connection in (first, second):
            connection.execute("set variable catalog = 'none that has turns'")
        attempts = []

        def work():
            attempts.append(1)
            with turns.transaction(first):
                numbered = first.execute(
                    "select coalesce(max(version_id), 0) + 1 from internal.record_versions"
                ).fetchone()[0]
                if len(attempts) == 1:
                    with turns.transaction(second):
                        insert(second, 1)
                insert(first, numbered)

        def insert(connection, number):
            connection.execute(INSERT_VERSION, {"n": number})

        turns.retry_on_clash(work)
        assert len(attempts) == 2
        assert first.execute(
            "select list(version_id order by version_id) from internal.record_versions"
        ).fetchone() == ([1, 2],)


def test_a_writer_that_is_killed_gives_its_turn_to_the_next(lake, processes):
    with lake.warehouse.get_connection():
        pass
    kill_while_writing(processes(["-c", WRITING], lake))
    with lake.warehouse.get_connection() as connection, turns.transaction(connection):
        assert connection.execute("select count(*) from internal.record_versions").fetchone() == (0,)


def kill_while_writing(process):
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_the_temporary_folder_of_a_killed_process_goes_with_the_next(lake, processes, tmp_path):
    with lake.warehouse.get_connection():
        pass
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    kill_while_writing(processes(["-c", WRITING], lake, TMPDIR=str(temporary)))
    assert len(list(temporary.iterdir())) == 1
    query = ["-m", "secscore_pipeline.cli", "query", "select count(*) from raw.fetches"]
    following = processes(query, lake, TMPDIR=str(temporary))
    said, complaints = following.communicate(timeout=DEADLINE)
    assert following.returncode == 0, said + complaints
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_a_file_is_moved_row_for_row_and_what_was_cut_short_goes_on(local_azure, lake, tmp_path, monkeypatch):
    file = Store(tmp_path / "file" / "secscore.duckdb", monkeypatch, None)
    azure = local_azure(World(subscriptions=3))
    file.use(azure)
    file.sync()
    file.sync()
    file.write("update raw.fetches set error = 'stored, and not published' where fetch_id = 1")
    told = []

    def tell(line):
        told.append(line)
        if len(told) == 4:
            raise KeyboardInterrupt

    target = lake.warehouse.lake
    with pytest.raises(KeyboardInterrupt):
        move(file.published, target, tell)
    with pytest.raises(WarehouseError, match="move-unfinished"), target.open_for_writing():
        pass
    env = {**file.settings, "SECSCORE_DATA_PATH": lake.settings["SECSCORE_DATA_PATH"]}
    done = secscore("migrate", "--to", lake.settings["SECSCORE_DATABASE"], cwd=tmp_path, env=env)
    assert f"SECSCORE_DATABASE={lake.settings['SECSCORE_DATABASE']}" in done.stdout
    for question in ("from ocsf.assessment_findings order by all", "from posture.changes order by all",
                     "from raw.records order by all"):  # fmt: skip
        assert lake.query(question) == file.query(question)
    assert lake.one("select error from raw.fetches where fetch_id = 1") == "stored, and not published"
    lake.use(azure)
    lake.sync()
    assert held(lake)["events"] == 3 * 16 * 3
    with pytest.raises(WarehouseError, match="lake-not-empty"):
        move(file.published, target, str)
    lake.sync()  # which it was left for
    done = secscore("migrate", "--to", "elsewhere.duckdb", cwd=tmp_path, env=env, check=2)
    assert "begins with ducklake:" in done.stderr


@pytest.mark.slow
def test_the_store_is_shown_as_it_was_and_kept_small(local_azure, lake, tmp_path):
    lake.use(local_azure(World(subscriptions=20)))
    lake.sync()
    then = datetime.now(UTC)
    for _ in range(3):
        lake.sync()
    sightings = lake.path.parent / "lake" / "internal" / "observations"
    assert len(list(sightings.iterdir())) == 4 * 2
    looks = "select count(*) from raw.fetches"
    done = secscore("query", looks, "--at", f"{then:%Y-%m-%d %H:%M:%S.%f}"[:19], "--format", "csv", cwd=tmp_path,
                    env=lake.settings, check=None)  # fmt: skip
    assert done.returncode == 0, done.stderr
    with lake.warehouse.get_published(then) as connection:
        assert connection.execute(looks).fetchone() == (40,)
    before = held(lake)
    compact(lake)
    assert len(list(sightings.iterdir())) == 1
    assert held(lake) == before
    with pytest.raises(WarehouseError, match="no-such-moment"), lake.warehouse.get_published(then):
        pass


def compact(store):
    """Compact a lake, and let go at once of all that it was."""
    soon = datetime.now(UTC) + timedelta(minutes=1)
    store.warehouse.lake.compact(soon, soon)


def test_compacting_waits_for_who_writes_and_loses_nothing(lake, postgres_server):
    with lake.warehouse.get_connection() as connection:
        with turns.transaction(connection):
            for number in range(3):
                connection.execute(INSERT_VERSION, {"n": number})
        with ThreadPoolExecutor(1) as threads:
            with turns.transaction(connection):
                connection.execute("delete from internal.record_versions where version_id = 1")
                compacted = threads.submit(compact, lake)
                awaited(partial(postgres_server.execute, WAITING), lambda said: "1" in said)
                assert not compacted.done()
            compacted.result(timeout=DEADLINE)
        assert connection.execute(
            "select list(version_id order by version_id) from internal.record_versions"
        ).fetchone() == ([0, 2],)


WAITING = "select count(*) from pg_locks where locktype = 'advisory' and not granted"


def test_who_waits_too_long_for_its_turn_is_told(lake, monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE", "100ms")

    def wait():
        with lake.warehouse.get_connection() as connection, turns.transaction(connection):
            pass

    with (
        lake.warehouse.get_connection() as connection,
        turns.transaction(connection),
        pytest.raises(WarehouseError, match="store-busy"),
    ):
        wait()
    wait()


def test_the_catalog_soon_notices_that_a_machine_with_a_turn_is_gone(lake):
    with lake.warehouse.get_connection() as connection:
        (name,) = connection.execute("select current_database()").fetchone()
        connection.execute("begin transaction")
        connection.execute(load_sql("warehouse/wait_for_lock"), {"lake": name, "lock": 1, "patience": "1s"}).fetchall()
        idle = "select current_setting(''tcp_keepalives_idle'') as idle"
        shown = f"from postgres_query('__ducklake_metadata_' || $lake, '{idle}')"
        assert connection.execute(shown, {"lake": name}).fetchone() == ("30",)
        connection.execute("rollback")


def test_a_catalog_that_hangs_up_is_told(lake, postgres_server):
    database = lake.settings["SECSCORE_DATABASE"].rpartition("=")[2]
    hung_up = f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'"

    def write(between=str):
        with lake.warehouse.get_connection() as connection, turns.transaction(connection):
            connection.execute("insert into internal.record_versions values (1, 1, 'secure_scores', 1, '{}')")
            between()
            connection.execute("insert into internal.record_versions values (2, 1, 'secure_scores', 1, '{}')")

    with pytest.raises(WarehouseError, match="catalog-unreachable"):
        write(partial(postgres_server.execute, hung_up))
    assert lake.one("select count(*) from internal.record_versions") == 0
    write()
    assert lake.one("select count(*) from internal.record_versions") == 2


@pytest.mark.slow
@pytest.mark.needs("postgresql")
def test_a_catalog_that_is_down_is_told_and_nothing_is_lost(local_azure, tmp_path, monkeypatch):
    with postgresql.server() as server:
        store = Store(tmp_path / "store" / "secscore", monkeypatch, server.lake(server.new_database()))
        store.use(local_azure(World(subscriptions=2)))
        store.sync()
        server.control("stop", "-m", "immediate")
        result = store.sync(succeeds=False)
        assert "[catalog-unreachable]" in failures(result)
        server.control("start")
        store.sync()
        assert held(store)["events"] == 2 * 16 * 2


@pytest.mark.slow
def test_a_catalog_that_is_full_is_told_and_nothing_is_lost(local_azure, lake, postgres_server):
    database = lake.settings["SECSCORE_DATABASE"].rpartition("=")[2]
    lake.use(local_azure(World(subscriptions=2)))
    lake.sync()
    # As managed servers do when their disk is full.
    postgres_server.execute(f"alter database {database} set default_transaction_read_only = on")
    postgres_server.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'")
    result = lake.sync(succeeds=False)
    assert "[catalog-read-only]" in failures(result)
    assert held(lake)["events"] == 2 * 16
    postgres_server.execute(f"alter database {database} reset default_transaction_read_only")
    postgres_server.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'")
    lake.sync()
    assert held(lake)["events"] == 2 * 16 * 2


@pytest.mark.slow
@pytest.mark.needs("postgresql")
def test_a_catalog_that_does_not_answer_for_a_while_is_waited_for(local_azure, tmp_path, monkeypatch):
    with postgresql.server() as server:
        store = Store(tmp_path / "store" / "secscore", monkeypatch, server.lake(server.new_database()))
        azure = local_azure(World(subscriptions=2))
        store.use(azure)
        store.sync()
        frozen = threading.Event()

        def freeze(_):
            if not frozen.is_set():
                frozen.set()
                server.signal(signal.SIGSTOP)
                threading.Timer(3, server.signal, [signal.SIGCONT]).start()

        azure.on_arm_request = freeze
        store.sync()
        assert frozen.is_set()
        assert held(store)["events"] == 2 * 16 * 2


def test_a_host_whose_files_would_lie_elsewhere_is_refused(lake):
    with lake.warehouse.get_connection():
        pass
    other = replace(lake.warehouse, data_path=str(lake.path.with_name("elsewhere")))
    for opened in (other.get_connection, other.get_published):
        with pytest.raises(WarehouseError, match="data-path-differs"), opened():
            pass


@pytest.fixture
def object_store(tmp_path, monkeypatch):
    """Return an S3 of the test's own, and let DuckDB know the way to it as it does for people: by a secret it keeps."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    where = f"127.0.0.1:{server.get_host_and_port()[1]}"
    monkeypatch.setenv("HOME", str(tmp_path))
    with duckdb.connect() as connection:
        connection.execute("set secret_directory = $folder", {"folder": str(tmp_path / ".duckdb" / "stored_secrets")})
        load(connection, "httpfs")
        connection.execute(
            "create persistent secret lake (type s3, key_id 'me', secret 'not-told', region 'eu-central-1', "
            f"endpoint '{where}', url_style 'path', use_ssl false)"
        )
    requests.put(f"http://{where}/bucket", timeout=DEADLINE).raise_for_status()
    yield server
    server.stop()


@pytest.mark.slow
def test_a_lake_in_an_object_store_and_one_that_refuses(local_azure, lake, object_store):
    lake.settings["SECSCORE_DATA_PATH"] = "s3://bucket/lake"
    lake.use(local_azure(World(subscriptions=2)))
    lake.sync()
    lake.sync()
    before = held(lake)
    assert before["events"] == 2 * 16 * 2
    compact(lake)
    assert held(lake) == before
    object_store.stop()
    result = lake.sync(succeeds=False)
    assert "[object-store-refused]" in failures(result), failures(result)
    assert "not-told" not in failures(result)


def test_a_catalog_of_another_version_and_one_of_something_else_are_left_alone(lake, postgres_server):
    with lake.warehouse.get_connection() as connection, turns.transaction(connection):
        connection.execute("insert into meta.migrations values (999, 'of the future', now())")
    with pytest.raises(WarehouseError, match="database-newer"), lake.warehouse.get_connection():
        pass
    database = lake.settings["SECSCORE_DATABASE"].rpartition("=")[2]
    postgres_server.execute("update ducklake_metadata set value = '99.0' where key = 'version'", database)
    with pytest.raises(WarehouseError, match="database-newer"), lake.warehouse.get_connection():
        pass
    other = postgres_server.new_database()
    theirs = lake.settings["SECSCORE_DATABASE"].replace(f"dbname={database}", f"dbname={other}")
    with duckdb.connect() as connection:
        load(connection, "ducklake", "postgres_scanner")
        data = quote_literal(str(lake.path.parent / "theirs"))
        connection.execute(f"attach {quote_literal(theirs)} as theirs (data_path {data})")
        connection.execute("create table theirs.customers (id integer)")
    someone = Store(lake.path.parent / "theirs.x", pytest.MonkeyPatch(), theirs)
    someone.settings["SECSCORE_DATA_PATH"] = str(lake.path.parent / "theirs")
    with pytest.raises(WarehouseError, match="database-foreign"), someone.warehouse.get_connection():
        pass


def load(connection, *extensions):
    for extension in extensions:
        _load(connection, extension)


@pytest.mark.slow
def test_data_that_cannot_be_written_is_told_and_taken_back(local_azure, lake):
    lake.use(local_azure(World(subscriptions=2)))
    lake.sync()
    before = held(lake)
    data = lake.path.parent / "lake"
    moved = data.rename(data.with_name("elsewhere"))
    data.write_text("no folder")
    said = failures(lake.sync(succeeds=False))
    assert "Give another in SECSCORE_DATA_PATH. [folder-unusable]" in said
    data.unlink()
    moved.rename(data)
    assert held(lake) == before
    half = data / "raw" / "fetches" / "half-written.parquet"
    half.write_bytes(b"PAR1")
    lake.sync()
    assert held(lake)["events"] == 2 * before["events"]


def test_nothing_is_there_yet(lake):
    with pytest.raises(WarehouseError, match="database-absent"), lake.warehouse.get_published():
        pass


@pytest.mark.parametrize(
    ("given", "failure"),
    [
        ("ducklake:postgres:host=h dbname=d password=hunter2", "password-in-setting"),
        ("ducklake:postgres:postgresql://me:hunter2@h/d", "password-in-setting"),
        ("ducklake:postgres:postgresql://me:hunter2/4@h/d", "password-in-setting"),
        ("ducklake:postgres:postgresql://h/d?pass%77ord=hunter2", "password-in-setting"),
        ("ducklake:", "catalog-malformed"),
        ("ducklake:postgres:", "catalog-malformed"),
    ],
)
def test_a_setting_that_cannot_be_right_is_explained(given, failure, monkeypatch):
    monkeypatch.setenv("SECSCORE_DATABASE", given)
    with pytest.raises(SettingsError) as caught:
        Warehouse.from_environment()  # before Dagster shows it
    assert failure in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_an_extension_that_is_nowhere_is_explained(tmp_path):
    lake = Lake("postgres:dbname=nowhere", "abfss://container@account.example/lake", tmp_path / "beside")
    cannot = pytest.raises(WarehouseError, match=r"extension azure cannot be loaded.*extension-missing")
    with cannot, lake.open_for_writing():
        pass


def test_the_password_comes_from_the_environment(lake, postgres_server, monkeypatch):
    database = postgres_server.new_database()
    postgres_server.execute("create role clerk login superuser password 'kept-outside'")
    hba = postgres_server.data / "pg_hba.conf"
    before = hba.read_text()
    hba.write_text(f"host all clerk 127.0.0.1/32 scram-sha-256\n{before}")
    postgres_server.control("reload")
    where = postgres_server.lake(database).replace(f"user={postgresql.USER}", "user=clerk")
    clerks = Lake(where.removeprefix("ducklake:"), str(lake.path.parent / "clerks"), lake.path)
    with pytest.raises(WarehouseError, match="catalog-unreachable"), clerks.open_for_writing():
        pass
    monkeypatch.setenv("PGPASSWORD", "kept-outside")
    with clerks.open_for_writing() as connection:
        assert connection.execute(load_sql("warehouse/count_tables")).fetchone() > (10,)
    hba.write_text(before)
    postgres_server.control("reload")
    assert "kept-outside" not in json.dumps(clerks.label)
