"""The tests run on any machine: what it lacks is skipped and told, what no test named is not started, a hang ends."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from secscore_pipeline_tests.support import machine
from testbed import needs
from testbed.waiting import awaited

ELSEWHERE = dict.fromkeys(("http_proxy", "PGPORT", "AZURE_CLIENT_ID", "SECSCORE_DATABASE"), "elsewhere")
ROOT = Path(__file__).resolve().parents[1]

TESTS = """
import os
import subprocess
import sys
import pytest
from testbed.waiting import awaited

@pytest.mark.needs("redis")
def test_of_a_queue():
    raise AssertionError("it was run")

@pytest.mark.needs("redis", "postgresql")
def test_of_two():
    raise AssertionError("it was run")

def test_of_the_environment():
    assert not {"http_proxy", "PGPORT", "AZURE_CLIENT_ID", "SECSCORE_DATABASE"} & set(os.environ)

def test_of_examples(shared):
    raise AssertionError("it was run")

def test_that_waits_in_vain():
    awaited(lambda: "nothing", lambda said: said == "something", within=0)

def test_of_a_program_that_hangs():
    subprocess.run([sys.executable, "-c", "import time\\ntime.sleep(60)"], timeout=0.1)
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Return what pytest prints of these tests on a machine that has nothing, run by two processes."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "test_bare.py").write_text(TESTS)
    plugins = ["-p", "secscore_pipeline_tests.support.machine", "-p", "no:cacheprovider", "-n", "2"]
    settings = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *settings, *plugins, "test_bare.py"],
        cwd=folder,
        env={**os.environ, **ELSEWHERE, needs.HIDDEN: "all", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_what_is_missing_is_skipped_and_the_run_ends_with_how_to_get_it(told):
    assert "3 skipped" in told
    assert "it was run" not in told
    told = told.partition("skipped for want of")[2]
    assert "2 tests: a Redis server (apt-get install redis-server)\n" in told
    assert "1 test: a PostgreSQL server (apt-get install postgresql)\n" in told
    assert re.search(r"1 test: the folder of Microsoft's published examples \(.*/shared\)\n", told)
    assert "Chromium" not in told


def test_no_setting_of_the_machine_reaches_a_test(told):
    assert "1 passed" in told


def test_a_wait_in_vain_fails_in_one_line(told):
    assert "2 failed" in told
    assert "test_bare.py:23: it did not come in 0 s: nothing\n" in told
    assert re.search(r"test_bare.py:26: Command .*time.sleep\(60\).* timed out after 0[.0-9]+ seconds\n", told)
    assert "Traceback" not in told
    assert "Stack" not in told


def test_a_program_that_the_test_did_not_name_is_not_started():
    for program in ("redis-server", "git"):
        with pytest.raises(pytest.fail.Exception, match=f"starts {program}, which is none of its needs"):
            subprocess.run([program, "--version"], check=False)
    subprocess.run(["sh", "-c", "exit"], check=True)


@pytest.mark.needs("redis")
def test_a_program_that_the_test_named_is_started():
    subprocess.run([str(needs.use_need("redis")), "--version"], check=True, capture_output=True)


def test_what_never_ends_is_ended(monkeypatch):
    monkeypatch.setattr(machine, "LIMIT", 0.05)
    with pytest.raises(pytest.fail.Exception, match=r"has not ended in 0\.05 s"), machine._limited():
        awaited(time.monotonic, lambda _: False)


def test_what_is_hidden_is_missing_and_a_name_that_is_none_is_told(monkeypatch):
    monkeypatch.setenv(needs.HIDDEN, "redis,chromium")
    assert needs.find_need("redis") is None
    with pytest.raises(needs.MissingNeedError, match="apt-get install redis-server"):
        needs.use_need("redis")
    monkeypatch.setenv(needs.HIDDEN, "rediss")
    with pytest.raises(needs.MissingNeedError, match="names rediss; there are"):
        needs.find_need("redis")


def test_the_packages_of_what_is_missing_are_printed_before_anything_is_installed():
    command = [sys.executable, "-I", "-S", needs.__file__]
    done = subprocess.run(command, env={needs.HIDDEN: "all"}, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["postgresql", "redis-server", "chromium", "fonts-dejavu-core"]
    assert "This machine lacks a Redis server: the tests that use it skip.\n" in done.stderr
    assert len(done.stderr.splitlines()) == len(needs.NEEDS)


def test_a_client_alone_is_no_postgresql_server(tmp_path, monkeypatch):
    """Debian's client package makes the folder of the programs, too."""
    (tmp_path / "15" / "bin").mkdir(parents=True)
    (tmp_path / "15" / "bin" / "psql").touch()
    monkeypatch.setattr(needs, "_DEBIAN_POSTGRESQL", tmp_path)
    monkeypatch.setenv("PATH", "")
    assert needs.find_need("postgresql") is None
    for version in ("9.6", "17"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "initdb").touch()
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    assert needs.find_need("postgresql") == tmp_path / "17" / "bin"
