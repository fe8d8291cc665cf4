"""From the demo to an own question: what it prints, and the commands it ends with, as somebody would paste them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from secscore_pipeline.cli.first_steps import DEMO_DATABASE, DEMO_REPORT, has_only_demo_database, list_next_commands
from secscore_pipeline_tests.conftest import secscore
from testbed.waiting import DEADLINE


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Return the folder of a demo that ran in a terminal of 80 columns, and what it printed."""
    folder = tmp_path_factory.mktemp("clone")
    done = secscore(
        "demo", "--subscriptions", "5", "--days", "10", cwd=folder, env={"COLUMNS": "80", "PWD": str(folder)}
    )
    return folder, done.stdout + done.stderr


@pytest.mark.slow
def test_the_demo_fits_a_screen_and_says_each_failure_once(demo):
    _, shown = demo
    lines = shown.splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 80
    assert shown.count("[forbidden]") == 1
    assert "\\[" not in shown
    failures = [line for line in lines if line.startswith(("✗", "!"))]
    assert failures == ["✗ 1 subscription forbidden (403 AuthorizationFailed): " + failures[0].split(": ")[1]]
    assert re.search(r"^\d+ of \d+ subscriptions read; 1 has no score; 1 not read\.$", shown, re.MULTILINE)
    today = re.search(r"began with 5 subscriptions and has (\d+) today", shown)[1]
    assert int(today) > 5
    assert f"The identity sees {today} subscriptions; {today} are to be read." in shown
    assert f" of {today} subscriptions read; " in shown
    scores = int(today) - 2
    assert f"Secure scores, the lowest 8 of {scores}" in shown or scores <= 8
    assert f"over {scores} subscriptions." in shown
    assert "`secscore status` lists it, and exits with 1 for it." in shown
    assert "Score from" in shown
    assert "Fail: less than 100 %" in shown
    assert "ascScoreGrace: a second score" in shown
    assert not re.search(r"% +Fail +ascScoreGrace", shown)


@pytest.mark.slow
def test_the_next_commands_work_as_printed(demo):
    folder, shown = demo
    commands = [line.strip() for line in shown.partition("Next:")[2].splitlines()[1:]]
    assert [command.split("secscore ")[1] for command in commands] == ["query", "status", "report --open"]
    for command in commands:
        done = subprocess.run(
            ["sh", "-c", command], cwd=folder, env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
            capture_output=True, text=True, timeout=DEADLINE, check=False,
        )  # fmt: skip
        assert done.returncode == (1 if command.endswith("status") else 0), done.stderr  # a subscription is forbidden
        assert ("Exit code 1: lines that begin with ! are problems." in done.stdout) is command.endswith("status")
        says, *rest = done.stderr.splitlines()
        assert says == f"No database of your own yet: using the demo's, {DEMO_DATABASE} (simulated data)."
        assert rest == (
            ["There is no browser here: copy the file to a machine that has one."] if "open" in command else []
        )
    assert (folder / DEMO_REPORT).stat().st_size > 10_000
    assert not (folder / "data" / "report.html").exists()


@pytest.mark.slow
def test_the_demo_runs_a_second_time(demo):
    folder, _ = demo
    done = secscore("demo", "--subscriptions", "5", "--days", "10", cwd=folder)
    assert "0 days and 0 findings added" in done.stdout


def test_a_monitoring_system_is_never_told_of_the_demo(demo):
    folder, _ = demo
    assert "UNKNOWN" in secscore("status", "--max-age", "9d", cwd=folder, check=3).stdout


@pytest.mark.parametrize(
    ("own", "setting", "before"),
    [
        (False, "", ""),
        (True, "", f"SECSCORE_DATABASE={DEMO_DATABASE} SECSCORE_REPORT={DEMO_REPORT} "),
        (
            False,
            "SECSCORE_DATABASE=elsewhere.duckdb",
            f"SECSCORE_DATABASE={DEMO_DATABASE} SECSCORE_REPORT={DEMO_REPORT} ",
        ),
    ],
)
def test_the_next_commands_lead_to_the_demo_whatever_else_there_is(tmp_path, monkeypatch, own, setting, before):
    script = tmp_path / "a venv" / "secscore"
    for file in (script, tmp_path / DEMO_DATABASE, *([tmp_path / "data" / "secscore.duckdb"] if own else [])):
        file.parent.mkdir(exist_ok=True)
        file.touch()
    (tmp_path / ".env").write_text(f"{setting}\n")
    (tmp_path / ".env").chmod(0o600)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [str(script), "demo"])
    assert has_only_demo_database({}) is not own
    assert list_next_commands(DEMO_DATABASE, DEMO_REPORT)[0] == f"{before}'a venv/secscore' query"
    monkeypatch.setenv("PWD", str(Path("/")))
    assert list_next_commands(DEMO_DATABASE, DEMO_REPORT)[0] == f"cd {tmp_path}"
