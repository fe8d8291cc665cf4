"""Nothing is published that is damaged or lacks what readers have; what the messages advise brings everything back."""

import os
import shutil
import time
from datetime import timedelta

import duckdb
import pytest

from secscore_pipeline.emulator.world import World
from secscore_pipeline.warehouse.blocks import is_whole
from secscore_pipeline.warehouse.connection import LOCK_PATIENCE
from secscore_pipeline.warehouse.errors import WarehouseError
from secscore_pipeline.warehouse.publishing import list_kept_files
from secscore_pipeline.warehouse.warehouse import Warehouse
from secscore_pipeline_tests.conftest import of_files, secscore, warehouse_of
from testbed.waiting import DEADLINE

pytestmark = of_files

RUNS = "select count(distinct run_id) from raw.fetches"
BLOCK = 262_144
HEADERS = 3 * 4096


@pytest.fixture
def azure(local_azure, store):
    azure = local_azure(World(subscriptions=1))
    store.use(azure)
    store.sync()
    return azure


def runs_in(path):
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(RUNS).fetchone()[0]


def stored(path):
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute("select * from ocsf.assessment_findings order by all").fetchall()


def flip(path, position):
    path.chmod(0o600)
    with path.open("rb+") as file:
        file.seek(position)
        (byte,) = file.read(1)
        file.seek(position)
        file.write(bytes([byte ^ 1]))


def publish():
    return Warehouse.from_environment().publish()


def test_a_flipped_bit_anywhere_in_the_work_file_is_told_at_once_and_never_published(azure, store):
    before, whole, content, told = store.published.read_bytes(), store.path.read_bytes(), stored(store.published), []
    blocks = (len(whole) - HEADERS) // BLOCK
    positions = [100, 4096 + 50, 8192 + 1, *(HEADERS + number * BLOCK + 5_000 + number for number in range(blocks))]
    for position in positions:
        flip(store.path, position)
        started = time.monotonic()
        try:
            publish()
        except WarehouseError as error:
            told.append(error.failure)
            assert store.published.read_bytes() == before, position
        else:  # nothing used that block
            assert is_whole(store.published)
            assert stored(store.published) == content
            before = store.published.read_bytes()
        assert time.monotonic() - started < LOCK_PATIENCE  # as it would wait for a file that is held open
        store.path.write_bytes(whole)
    assert set(told) == {"database-damaged"}
    assert len(told) > 0.8 * len(positions)


def test_a_block_that_nothing_uses_may_be_torn(azure, store):
    with store.warehouse.get_connection() as connection:
        connection.execute("create table raw.much as select range as n, uuid()::varchar as text from range(200_000)")
        connection.execute("checkpoint")
        connection.execute("drop table raw.much")
        connection.execute("checkpoint")
    for position in range(HEADERS + BLOCK - 1, store.path.stat().st_size, BLOCK):
        whole = store.path.read_bytes()
        flip(store.path, position)
        try:
            publish()
        except WarehouseError:
            store.path.write_bytes(whole)
    assert is_whole(store.published)
    assert runs_in(store.published) == 1


def test_a_damaged_work_file_is_told_by_the_command_line_and_its_advice_works(azure, store, tmp_path):
    env = {**azure.settings(), **store.settings}
    flip(store.path, store.path.stat().st_size - BLOCK // 2)
    flip(store.path, HEADERS + BLOCK // 2)
    started = time.monotonic()
    done = secscore("sync", cwd=tmp_path, env=env, check=1)
    assert time.monotonic() - started < LOCK_PATIENCE
    assert "[database-damaged]" in done.stderr
    assert "held open" not in done.stderr
    assert f"mv {store.path} {store.path}.damaged" in done.stderr
    store.path.rename(f"{store.path}.damaged")
    store.sync()
    assert runs_in(store.published) == 2


@pytest.mark.parametrize("kind", ["older", "empty", "of another tenant"])
def test_a_work_file_that_lacks_what_readers_have_is_refused_before_anything_is_read(
    azure, store, local_azure, tmp_path, kind
):
    older = store.path.read_bytes()
    store.sync()
    if kind == "older":
        store.path.write_bytes(older)
    else:
        store.path.unlink()
        elsewhere = {**store.settings, "SECSCORE_DATABASE": str(tmp_path / "elsewhere.duckdb")}
        if kind == "empty":
            with warehouse_of(elsewhere).get_connection():
                pass  # made, and nothing is in it
        else:
            secscore("sync", cwd=tmp_path, env={**local_azure(World(seed=7, subscriptions=1)).settings(), **elsewhere})
    before, asked = store.published.read_bytes(), sum(azure.requests.values())
    result = store.sync(succeeds=False)
    (said,) = {
        event.step_failure_data.user_failure_data.description for event in result.all_events
        if event.is_step_failure and event.step_failure_data.user_failure_data
    }  # fmt: skip
    assert "[store-behind]" in said
    assert str(store.path) in said
    assert str(store.published) in said
    assert "fetches of" in said
    assert sum(azure.requests.values()) == asked
    with pytest.raises(WarehouseError, match="store-behind"):
        publish()
    assert store.published.read_bytes() == before
    # What it advises: the other one away, and on with the published one.
    store.path.rename(f"{store.path}.aside")
    store.sync()
    assert runs_in(store.published) == 3


def test_who_wants_the_work_file_all_the_same_puts_the_published_one_aside(azure, store, tmp_path):
    older = store.path.read_bytes()
    store.sync()
    store.path.write_bytes(older)
    secscore("maintain", cwd=tmp_path, env=store.settings, check=1)
    store.published.rename(f"{store.published}.aside")
    secscore("maintain", cwd=tmp_path, env=store.settings)
    assert runs_in(store.published) == 1


def test_findings_that_only_readers_have_are_missed(azure, store):
    store.write("delete from internal.findings where event_type = 'secure_scores'")
    with pytest.raises(WarehouseError, match=r"1 findings \(such as .*\[store-behind\]"):
        publish()


def test_what_a_retention_has_deleted_is_not_missed(azure, store, tmp_path):
    store.sync()
    store.write("update raw.fetches set observed_at = observed_at - interval 40 day")
    store.sync()
    secscore("maintain", "--retention-days", "30", cwd=tmp_path, env=store.settings)
    assert runs_in(store.published) == 2
    store.sync()
    assert runs_in(store.published) == 3


def test_a_published_file_that_is_damaged_is_put_aside_and_the_kept_one_speaks_for_it(azure, store):
    older = store.path.read_bytes()
    store.sync()
    store.sync()
    flip(store.published, HEADERS + BLOCK // 2)
    newest = store.path.read_bytes()
    store.path.write_bytes(older)
    with pytest.raises(WarehouseError, match=r"previous-1.*\[store-behind\]"):
        publish()
    store.path.write_bytes(newest)
    said = publish().warnings
    aside = store.published.with_name("published-secscore.damaged.duckdb")
    assert any(str(aside) in warning for warning in said)
    assert aside.exists()
    assert runs_in(store.published) == 3
    assert all(map(is_whole, [store.published, *list_kept_files(store.published)]))


def test_a_store_does_not_begin_as_a_damaged_file_and_the_advice_works(azure, store, tmp_path):
    store.sync()
    flip(store.published, store.published.stat().st_size - BLOCK // 2)
    store.path.unlink()
    done = secscore("sync", cwd=tmp_path, env={**azure.settings(), **store.settings}, check=1)
    assert f"mv {store.published} {store.published}.damaged" in done.stderr
    store.published.rename(f"{store.published}.damaged")
    shutil.copy(list_kept_files(store.published)[0], store.published)
    store.sync()
    assert runs_in(store.published) == 2  # the one kept, and this one


def test_the_last_published_files_are_kept_and_no_more(azure, store, monkeypatch):
    for _ in range(4):
        store.sync()
    assert [runs_in(file) for file in (store.published, *list_kept_files(store.published))] == [5, 4, 3, 2]
    assert {file.stat().st_mode & 0o777 for file in list_kept_files(store.published)} == {0o400}
    monkeypatch.setenv("SECSCORE_KEEP_PUBLISHED", "1")
    publish()
    assert [runs_in(file) for file in list_kept_files(store.published)] == [5]
    monkeypatch.setenv("SECSCORE_KEEP_PUBLISHED", "0")
    publish()
    assert list_kept_files(store.published) == []


def test_a_kill_between_keeping_and_replacing_keeps_each_file_once(azure, store, spawned):
    store.sync()
    code = """
import os, signal
from secscore_pipeline.warehouse import publishing
publishing.put_in_place = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from secscore_pipeline.warehouse.warehouse import Warehouse
Warehouse.from_environment().publish()
"""
    for _ in range(2):
        killed = spawned("-c", code)
        killed.communicate(timeout=DEADLINE)
        assert killed.returncode == -9
    store.sync()
    assert [runs_in(file) for file in (store.published, *list_kept_files(store.published))] == [3, 2, 1]
    assert store.leftovers() == set()


def test_a_link_stays_a_link_and_its_file_is_replaced(azure, store, tmp_path):
    (tmp_path / "far").mkdir()
    for file in (store.published, store.path):
        shutil.move(file, tmp_path / "far" / file.name)
        file.symlink_to(tmp_path / "far" / file.name)
    store.sync()
    Warehouse.from_environment().maintain(azure_time(store))
    assert store.published.is_symlink()
    assert store.path.is_symlink()
    assert runs_in(tmp_path / "far" / store.published.name) == 2


def azure_time(store):
    return store.one("select max(observed_at) from raw.fetches") + timedelta(minutes=1)


def test_what_only_looks_like_a_scratch_folder_is_passed_over(azure, store, tmp_path):
    strange = [
        store.path.with_name(f"{file.name}.scratch-{n}") for file in (store.path, store.published) for n in "abc"
    ]
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "precious").touch()
    for place, make in zip(
        strange, [lambda p: p.symlink_to(theirs), lambda p: p.write_text("x"), os.mkfifo] * 2, strict=True
    ):
        make(place)
    store.sync()
    assert runs_in(store.published) == 2
    assert store.leftovers() == {place.name for place in strange}
    assert (theirs / "precious").exists()


def test_files_of_no_length_count_as_absent(azure, store, tmp_path):
    env = {**azure.settings(), **store.settings}
    store.published.unlink()
    store.published.touch()
    secscore("sync", cwd=tmp_path, env=env)
    assert runs_in(store.published) == 2
    store.path.write_bytes(b"")
    store.sync()
    assert runs_in(store.published) == 3
