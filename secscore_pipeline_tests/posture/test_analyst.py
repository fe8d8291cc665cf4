"""The analyst's face: status, the prompt, quiet, completion, and pandas."""

import fcntl
import json
import os
import pty
import re
import select
import subprocess
import sys
import termios
from datetime import timedelta
from pathlib import Path

import nbformat
import pandas as pd
import pytest

import secscore_pipeline
from secscore_pipeline.clock import utc_now
from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.emulator.world import State, World
from secscore_pipeline.posture.status import read_status
from secscore_pipeline.warehouse.errors import WarehouseError
from secscore_pipeline_tests.conftest import ON_LAKE, secscore
from testbed.waiting import DEADLINE, DeadlineError

of_terminals = pytest.mark.skipif(ON_LAKE, reason="is about what a terminal shows, whatever the store")

RUN_NOTEBOOK = """
import sys, nbformat
from nbclient import NotebookClient
ran = NotebookClient(nbformat.reads(sys.stdin.read(), as_version=4), timeout=int(sys.argv[1])).execute()
print([output for cell in ran.cells for output in cell.get("outputs", [])])
"""


@pytest.fixture
def world(local_azure, store):
    world = World(subscriptions=3)
    store.use(local_azure(world))
    store.sync()
    return world


@pytest.mark.slow
def test_status_says_how_things_stand_and_what_wants_attention(world, store, tmp_path):
    done = secscore("status", cwd=tmp_path, env=store.settings)
    assert "default" in done.stdout
    assert "0 5 * * * UTC" in done.stdout
    ((percentage,),) = store.query("select percentage from posture.tenant_score where lower(score) = 'ascscore'")
    assert f"{100 * percentage:.2f} %" in done.stdout
    next(iter(world.subscriptions.values())).state = State.FORBIDDEN
    store.sync()
    done = secscore("status", "--json", cwd=tmp_path, env=store.settings, check=1)
    shown = json.loads(done.stdout)
    assert shown["feeds"][0]["not_read"] == 1
    assert shown["attention"] == [
        "1 of 3 subscriptions of the feed default could not be read: "
        "from posture.read_results where result = 'not_read'"
    ]
    assert shown["database"]["bytes"] == store.warehouse.published_size()
    with store.warehouse.get_published() as connection:
        later = read_status(connection, [Feed(), Feed(name="new")], utc_now() + timedelta(days=3))
    assert "The last complete sync of the feed default was 3 days ago." in later.attention
    assert "The feed new was never read." in later.attention


@pytest.mark.slow
def test_status_without_a_database_says_what_to_do(tmp_path):
    done = secscore("status", cwd=tmp_path, check=1)
    assert "[database-absent]" in done.stderr


@pytest.mark.slow
@of_terminals
def test_quiet_prints_what_was_asked_for_and_what_failed(world, store, tmp_path):
    env = {**os.environ, **store.settings}
    done = secscore("--quiet", "sync", cwd=tmp_path, env=env)
    assert (done.stdout, done.stderr) == ("", "")
    assert "3" in secscore("-q", "query", "select 1 + 2", cwd=tmp_path, env=env).stdout
    done = secscore("-q", "sync", cwd=tmp_path, env={**env, "AZURE_CLIENT_SECRET": "wrong-" + "x" * 20}, check=1)
    assert "AADSTS7000215" in done.stderr


def take_the_terminal():
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


CTRL_C = b"\x03"
AGAIN = 5
"""Seconds of silence after which Ctrl-C is pressed again: Python sleeps through one just before it begins to wait."""


def on_a_terminal(arguments, typed, env, cwd, columns="120"):
    """Run the command line on a terminal of its own, type something, and return what it showed after each."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "secscore_pipeline.cli", *arguments], stdin=theirs, stdout=theirs, stderr=theirs,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), "TERM": "xterm", "COLUMNS": columns, **env}, cwd=cwd,
        preexec_fn=take_the_terminal,
    )  # fmt: skip
    os.close(theirs)

    def read(pressed=b""):
        for _ in range(DEADLINE // AGAIN):
            if select.select([ours], [], [], AGAIN)[0]:
                try:
                    return os.read(ours, 4096)
                except OSError:  # the terminal's other end is closed
                    return b""
            if pressed == CTRL_C:
                os.write(ours, pressed)
        raise DeadlineError(f"it has shown nothing for {DEADLINE} s")

    try:
        answers, shown, pressed = [], b"", b""
        for awaited, keys in typed:
            while awaited not in shown:
                more = read(pressed)
                assert more, shown
                shown += more
            answer, _, shown = shown.partition(awaited)
            answers.append(answer.decode())
            os.write(ours, keys)
            pressed = keys
        answers.append((shown + b"".join(iter(read, b""))).decode())
        assert process.wait(timeout=DEADLINE) in (0, 1)
    finally:
        os.close(ours)
        process.kill()
        process.wait()
    return answers


@pytest.mark.slow
def test_the_prompt_answers_completes_remembers_and_leaves(world, store, tmp_path):
    typed = [
        (b"sql> ", b"select 40 + 2 as answer, count(*)\n"),
        (b"...> ", b"from posture.current_s\t;\n"),
        (b"42", b""),
        (b"sql> ", b"select nonsense;\n"),
        (b"query-wrong", b""),
        (b"sql> ", b"abandoned"),
        (b"abandoned", CTRL_C),
        (b"sql> ", b"\\d\n"),
        (b"posture.opportunities", b""),
        (b"sql> ", b"\x04"),
    ]
    shown = on_a_terminal(["query"], typed, store.settings, tmp_path)
    assert "posture.current_scores" in shown[2]
    assert "It was not understood" in shown[4]
    history = tmp_path / ".local" / "state" / "secscore" / "history"
    assert "from posture.current_scores" in history.read_text()
    assert "abandoned" not in history.read_text()
    assert history.stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
@of_terminals
def test_colours_are_for_terminals_that_want_them(world, store, tmp_path):
    (shown,) = on_a_terminal(["status"], [], store.settings, tmp_path)
    assert "\x1b[1m" in shown
    next(iter(world.subscriptions.values())).state = State.FORBIDDEN
    store.sync()
    (shown,) = on_a_terminal(["status"], [], store.settings, tmp_path)
    assert "\x1b[33m" in shown
    (plain,) = on_a_terminal(["status"], [], {**store.settings, "NO_COLOR": "1"}, tmp_path)
    assert "\x1b[3" not in plain


@pytest.mark.slow
@of_terminals
def test_a_sync_draws_bars_on_a_terminal_and_tells_its_log_elsewhere(local_azure, store, tmp_path):
    env = {**local_azure(World(subscriptions=3)).settings(), **store.settings}
    (shown,) = on_a_terminal(["sync"], [], env, tmp_path)
    assert re.search(r"secure_scores\W.*━.*3/3", shown)
    assert "secure_scores: 3 of 3 subscriptions read" not in shown
    (quiet,) = on_a_terminal(["--quiet", "sync"], [], env, tmp_path)
    assert "━" not in quiet
    assert "secure_scores: 3 of 3 subscriptions read" in secscore("sync", cwd=tmp_path, env=env).stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_and_completes(tmp_path, shell):
    assert "_SECSCORE_COMPLETE" in secscore("completion", shell, cwd=tmp_path).stdout
    env = {"_CLI_COMPLETE": "", "_SECSCORE_COMPLETE": "bash_complete", "COMP_WORDS": "secscore sta", "COMP_CWORD": "1"}
    code = "from secscore_pipeline.cli.main import main; main(prog_name='secscore')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["plain,status"]


@pytest.mark.slow
def test_pandas_gets_every_view_with_sensible_types(world, store):
    posture = secscore_pipeline.open(store.settings["SECSCORE_DATABASE"])
    assert set(posture.views()) >= {"current_scores", "changes", "opportunities", "tenant_score"}
    assert set(posture.views()) <= set(dir(posture))
    for name in posture.views():
        frame = getattr(posture, name)()
        described = getattr(posture, name).columns()
        assert list(frame.columns) == list(described["column_name"])
        assert "object" not in {
            str(frame.dtypes[row.column_name])
            for row in described.itertuples()
            if row.data_type in ("VARCHAR", "BIGINT")
        }
    scores = posture.current_scores()
    assert scores["weight"].dtype == pd.Int64Dtype()
    assert scores["status"].dtype == "category"
    assert str(scores["observed_at"].dtype).endswith("UTC]")
    assert scores["is_latest_fetch"].dtype == pd.BooleanDtype()
    some = posture.current_scores("subscription_id = $id", id=scores["subscription_id"][0])
    assert len(some) == 1
    assert posture.query("select $a + 1 as b", a=1)["b"].tolist() == [2]
    with pytest.raises(AttributeError, match=r"There is no view posture\.nonsense"):
        _ = posture.nonsense
    assert "raw.fetches" not in repr(posture)


@pytest.mark.slow
def test_a_notebook_that_stays_open_keeps_no_run_waiting(world, store):
    posture = secscore_pipeline.open(store.settings["SECSCORE_DATABASE"])
    before = posture.query("select count(*) as n from raw.fetches")["n"][0]
    store.sync()
    assert posture.query("select count(*) as n from raw.fetches")["n"][0] == 2 * before


def test_without_a_database_pandas_is_told_what_to_do(tmp_path):
    with pytest.raises(WarehouseError, match="database-absent"):
        secscore_pipeline.open(tmp_path / "none.duckdb").views()


@pytest.mark.slow
def test_the_notebook_runs_on_a_database(world, store, tmp_path, monkeypatch):
    notebook = nbformat.read(Path(__file__).parents[2] / "docs" / "notebook.ipynb", as_version=4)
    assert not [cell for cell in notebook.cells if cell.get("outputs")]
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", RUN_NOTEBOOK, str(DEADLINE)],
        input=nbformat.writes(notebook),
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "current_scores" in done.stdout
