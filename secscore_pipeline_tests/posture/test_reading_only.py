"""SQL that people or database files bring reads the database, and nothing else: no file, no write, no extension."""

import json
import secrets
from pathlib import Path

import duckdb
import pytest

import secscore_pipeline
from secscore_pipeline.emulator.world import World
from secscore_pipeline.posture.query import run_query
from secscore_pipeline.warehouse.errors import WarehouseError
from secscore_pipeline.warehouse.statements import quote_literal
from secscore_pipeline_tests.conftest import of_files, secscore


@pytest.fixture(scope="module")
def asked_store(module_azure, module_store):
    module_store.use(module_azure(World(subscriptions=2)))
    module_store.sync()
    return module_store


@pytest.fixture
def near(tmp_path):
    """Return a folder with a file that SQL may not read, and the text in it."""
    (tmp_path / "mark.csv").write_text(f"mark\n{secrets.token_hex(8)}\n")
    return tmp_path


WRITES = [
    "copy (select 1) to '{near}/new.csv'",
    "copy (select 1) to '{near}/mark.csv'",
    "copy (select 1) to '{database}'",
    "copy (select 1) to '{database}.wal'",
    "explain analyze copy (select 1) to '{near}/new.csv'",
    "explain /* */ analyze copy (select 1) to '{near}/mark.csv'",
    "select 1; copy (select 1) to '{near}/new.csv'",
    "export database '{near}/new'",
    "attach '{near}/new.duckdb' as other",
    "attach '{work}' as work (read_write)",
    "attach ':memory:' as other",
    "install httpfs",
    "force install httpfs from community",
    "load httpfs",
    "load '{near}/mark.csv'",
    "set enable_external_access = true",
    "reset lock_configuration",
    "set lock_configuration = false",
    "pragma enable_profiling = 'json'",
    "set profiling_output = '{near}/new.json'",
    "set temp_directory = '{near}'",
    "set variable catalog = 'x'",
    "pragma force_checkpoint",
    "call enable_logging(storage = 'file', storage_path = '{near}/new')",
    "from enable_logging(storage = 'file', storage_path = '{near}/new')",
    "from system.main.\"ENABLE_LOGGING\"/* /* */ */(storage => 'file', storage_path => '{near}/mark.csv')",
    "from query('from enable_log' || 'ging()')",
    "from json_execute_serialized_sql(json_serialize_sql('from read_text(''{near}/mark.csv'')'))",
    "from checkpoint()",
    "create temp table mine as select 1",
    "create secret (type s3, key_id 'a', secret 'b')",
    "create or replace macro now() as 1",
    "insert into raw.fetches (run_id) values ('x')",
    "delete from raw.fetches",
    "drop view posture.current_scores",
    "explain analyze delete from raw.fetches",
    "prepare it as select 1",
    "begin",
    "vacuum",
    "use memory",
    "detach secscore",
    "import database '{near}'",
    "from postgres_execute('__ducklake_metadata_lake', 'commit; create table new (x int)')",
    "from postgres_query('__ducklake_metadata_lake', 'select 1')",
    "from postgres_scan('host=127.0.0.1', 'public', 'secrets')",
    "from postgres_attach('host=127.0.0.1')",
    "from ducklake_cleanup_old_files('lake', cleanup_all => true)",
]
READS = [
    "from read_text('{near}/mark.csv')",
    "from '{near}/mark.csv'",
    "from read_csv('{near}/*.csv')",
    "from read_blob('{near}/mark.csv')",
    "from glob('{near}/*')",
    "from sniff_csv('{near}/mark.csv')",
    "from read_text('{database}/../mark.csv')",
    "from read_duckdb('{work}')",
    "from read_csv('http://127.0.0.1:9/x.csv')",
    "from read_parquet('s3://bucket/x.parquet')",
    "explain analyze from read_text('{near}/mark.csv')",
    "select getenv('HOME')",
    "from near",
    "from statement",
]


def names(store, near):
    return {"near": near, "database": store.published, "work": store.path}


@pytest.mark.parametrize("statement", WRITES + READS)
def test_sql_reads_the_database_and_nothing_else(asked_store, near, statement):
    text = statement.format(**names(asked_store, near))
    mark = (near / "mark.csv").read_text().splitlines()[1]
    looks = asked_store.one("select count(*) from raw.fetches")
    with asked_store.warehouse.get_published() as connection, pytest.raises(WarehouseError) as raised:
        run_query(connection, text)
    assert mark not in str(raised.value)
    if statement in WRITES:
        assert raised.value.failure in ("query-writes", "query-wrong", "query-reaches-out")
    assert {path.name for path in near.iterdir()} <= {"mark.csv", "store"}
    assert mark in (near / "mark.csv").read_text()
    with asked_store.warehouse.get_published() as connection:
        assert run_query(connection, "select count(*) as looks from raw.fetches") == (["looks"], [(looks,)])


@pytest.mark.parametrize(
    "question",
    [
        "show all tables",
        "describe posture.current_scores",
        "summarize posture.current_scores",
        "explain select 1",
        "explain analyze from posture.current_scores",
        "explain (format json) select 1",
        "pivot posture.current_scores on status using count(*)",
        "values (1), (2)",
        "with few as materialized (from range(3)) select * from few; select 2",
        "pragma table_info('posture.current_scores')",
        "select 'enable_logging' as word, unnest([1, 2]) as number",
        "from duckdb_settings()",
    ],
)
def test_every_kind_of_question_is_answered(asked_store, question):
    with asked_store.warehouse.get_published() as connection:
        assert run_query(connection, question)[1]


@pytest.mark.slow
def test_what_is_allowed_is_read_and_never_written(asked_store, near):
    (near / "more").mkdir()
    (near / "more" / "owners.csv").write_text("owner\nme\n")
    (near / "link.csv").symlink_to("mark.csv")
    options = ("--allow", "link.csv", "--allow", "more", "--format", "json")

    def ask(text, check=0):
        return secscore("query", text, *options, cwd=near, env=asked_store.settings, check=check)

    mark = (near / "mark.csv").read_text()
    assert json.loads(ask("from 'link.csv'").stdout) == [{"mark": mark.splitlines()[1]}]
    assert json.loads(ask("from 'more/*.csv'").stdout) == [{"owner": "me"}]
    assert "[query-reaches-out]" in ask("from read_text('/etc/hostname')", check=1).stderr
    assert "[query-writes]" in ask("copy (select 1) to 'more/new.csv'", check=1).stderr
    assert "[query-writes]" in ask("copy (select 1) to 'link.csv'", check=1).stderr
    assert [path.name for path in (near / "more").iterdir()] == ["owners.csv"]
    assert (near / "mark.csv").read_text() == mark
    done = secscore("query", "select 1", "--allow", "nowhere", cwd=near, env=asked_store.settings, check=1)
    assert "[path-absent]" in done.stderr


def test_a_notebook_reads_no_more_than_that(asked_store, near, monkeypatch):
    for name, text in asked_store.settings.items():
        monkeypatch.setenv(name, text)
    database = asked_store.settings["SECSCORE_DATABASE"]
    posture = secscore_pipeline.open(database)
    with pytest.raises(WarehouseError, match=r"\[query-reaches-out\]"):
        posture.query(f"from read_text('{near}/mark.csv')")
    with pytest.raises(WarehouseError, match=r"\[query-writes\]"):
        posture.query(f"copy (select 1) to '{near}/new.csv'")
    assert len(secscore_pipeline.open(database, allow=[near]).query(f"from '{near}/mark.csv'")) == 1
    assert len(posture.current_scores()) == 2


@pytest.mark.slow
@of_files
def test_a_database_from_elsewhere_does_not_read_files(local_azure, store, near):
    azure = local_azure(World(subscriptions=1))
    store.use(azure)
    store.sync()
    mark = (near / "mark.csv").read_text().splitlines()[1]
    reads = f"(select max(content) from read_text({quote_literal(str(near / 'mark.csv'))}))"
    for path in (store.path, store.published):
        path.chmod(0o600)
        with duckdb.connect(path) as connection:
            connection.execute(f"create or replace macro internal.day_of(moment) as {reads}")
            connection.execute(f"create or replace view posture.coverage as select {reads} as feed")
    (near / "out").mkdir()
    env = {
        **azure.settings(),
        **store.settings,
        "SECSCORE_REPORT": str(near / "out" / "report.html"),
        "SECSCORE_RETENTION_DAYS": "1",
        "SECSCORE_ALERT_WEBHOOK": "http://127.0.0.1:9/hook",
    }
    for command in (
        ("query", "from posture.coverage"),
        ("status",),
        ("report",),
        ("export", "--format", "csv", "--output", str(near / "out")),
        ("export", "--format", "parquet", "--output", str(near / "out")),
        ("maintain",),
        ("alert",),
        ("sync",),
    ):
        done = secscore(*command, cwd=near, env=env, check=None)
        assert mark not in done.stdout + done.stderr, command
        assert "Traceback" not in done.stderr, command
        if command[0] in ("query", "report", "export"):
            assert done.returncode == 1, command
    for path in Path(near).rglob("*"):
        assert path.name == "mark.csv" or not path.is_file() or mark.encode() not in path.read_bytes(), path
