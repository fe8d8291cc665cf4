"""Files of the user: none is replaced that is not ours, settings keep every other byte, links stay."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given, settings
from hypothesis import strategies as st

from secscore_pipeline.config.env_file import env_text, update_env
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.emulator.world import World
from secscore_pipeline.system.files import FileError, is_replaceable, replace_file
from secscore_pipeline_tests.conftest import of_files, secscore
from testbed.waiting import DEADLINE

GUID = "11111111-2222-3333-4444-555555555555"
OTHER = "66666666-2222-3333-4444-555555555555"
INIT = ("init", "--no-ask", "--no-test")


def mode(path):
    return path.stat().st_mode & 0o777


@pytest.fixture
def mine(tmp_path):
    """Return a file of the user, which nothing of ours may replace."""
    path = tmp_path / "mine.txt"
    path.write_text(f"NOTES={secrets.token_hex(8)}\n")
    return path


@pytest.mark.slow
def test_a_report_replaces_a_report_and_nothing_else(local_azure, store, tmp_path, mine):
    store.use(local_azure(World(subscriptions=1)))
    store.sync()
    before = mine.read_bytes()
    (tmp_path / "link.html").symlink_to(mine)
    for output in (mine, tmp_path / "link.html"):
        done = secscore("report", "--output", str(output), cwd=tmp_path, env=store.settings, check=1)
        assert "[file-foreign]" in done.stderr
        done = secscore("report", cwd=tmp_path, env={**store.settings, "SECSCORE_REPORT": str(output)}, check=1)
        assert "[file-foreign]" in done.stderr
    assert mine.read_bytes() == before
    report, link = tmp_path / "report.html", tmp_path / "newest.html"
    link.symlink_to(report)
    for _ in range(2):
        secscore("report", "--output", str(link), cwd=tmp_path, env=store.settings)
    assert link.is_symlink()
    assert mode(report) == 0o600
    older = report.read_text().replace('<meta name="generator" content="secscore_pipeline report">\n', "")
    report.write_text(older)  # as versions before the mark wrote it
    secscore("report", "--output", str(report), cwd=tmp_path, env=store.settings)
    assert report.read_text() != older


def test_the_local_azure_leaves_a_file_of_the_user_alone(tmp_path, mine, spawned):
    before = mine.read_bytes()
    done = secscore("emulator", "--env-file", str(mine), cwd=tmp_path, check=1)
    assert "[file-foreign]" in done.stderr
    assert mine.read_bytes() == before
    process = spawned("-m", "secscore_pipeline.cli", "emulator", "--env-file", "azure.env", cwd=tmp_path)
    assert "Local Azure" in process.stdout.readline()
    assert mode(tmp_path / "azure.env") == 0o600
    (tmp_path / "azure.env").write_bytes(before)  # somebody has put something of theirs there meanwhile
    process.terminate()
    process.communicate(timeout=DEADLINE)
    assert (tmp_path / "azure.env").read_bytes() == before
    process = spawned("-m", "secscore_pipeline.cli", "emulator", "--env-file", "new.env", cwd=tmp_path)
    assert "Local Azure" in process.stdout.readline()
    process.terminate()
    process.communicate(timeout=DEADLINE)
    assert not (tmp_path / "new.env").exists()


def test_templates_are_written_beside_no_file_of_the_user(tmp_path):
    for _ in range(2):
        secscore("azure-setup", "--subscription-id", GUID, "--write", "new", cwd=tmp_path)
    (tmp_path / "new" / "main.tf").write_text("# changed by hand\n")
    (tmp_path / "new" / "setup.sh").unlink()
    done = secscore("azure-setup", "--subscription-id", GUID, "--write", "new", cwd=tmp_path, check=1)
    assert "[file-foreign]" in done.stderr
    assert (tmp_path / "new" / "main.tf").read_text() == "# changed by hand\n"
    assert not (tmp_path / "new" / "setup.sh").exists()


@pytest.mark.parametrize("target", ["/dev/full", "/dev/null", "."])
def test_what_is_no_file_is_not_replaced(tmp_path, target):
    with pytest.raises(FileError):
        replace_file(tmp_path / target, "text", ["text"])


def test_an_empty_file_is_nobodys(tmp_path):
    (tmp_path / "empty").touch()
    assert is_replaceable(tmp_path / "empty", ["mark"])
    assert is_replaceable(tmp_path / "absent", ["mark"])


WRITTEN = """# what the team agreed on
export HTTPS_PROXY=http://proxy.example:8080   # the way out
OTHER_TOOL='keep  me'
AZURE_TENANT_ID=${TEAM_TENANT}
AZURE_CLIENT_ID = "%s" # ours
AZURE_CLIENT_ID=%s # newer
not a line of settings
AZURE_CLIENT_SECRET='it\\'s'
SECSCORE_INCLUDE="prod-*"\r
# the end, without a line's end"""


def test_init_changes_what_is_given_and_no_other_byte(tmp_path):
    text = WRITTEN % (GUID, GUID)
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "team.env").write_bytes(text.encode())
    (tmp_path / ".env").symlink_to("settings/team.env")
    (tmp_path / "secret").write_text("a$b${TEAM_TENANT}'c\\d #e\n")
    given_anew = ("--client-id", OTHER, "--client-secret-file", "secret", "--set", "SECSCORE_EXCLUDE=test-*,x y")
    secscore(*INIT, *given_anew, cwd=tmp_path, env={"TEAM_TENANT": GUID})
    new = (tmp_path / "settings" / "team.env").read_bytes().decode()
    before, after = text.splitlines(keepends=True), new.splitlines(keepends=True)
    assert (tmp_path / ".env").is_symlink()
    assert mode(tmp_path / "settings" / "team.env") == 0o600
    changed = {number for number, line in enumerate(before[:-1]) if after[number] != line}
    assert changed == {5, 7}
    assert after[5] == f"AZURE_CLIENT_ID={OTHER} # newer\n"
    assert after[9:] == [f"{before[9]}\n", "SECSCORE_EXCLUDE='test-*,x y'\n"]
    environment = {**os.environ, "TEAM_TENANT": GUID}
    code = f"import dotenv; print(dotenv.dotenv_values({str(tmp_path / '.env')!r})['AZURE_CLIENT_SECRET'], end='')"
    read = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert read.stdout == "a$b${TEAM_TENANT}'c\\d #e"
    secscore(*INIT, cwd=tmp_path, env={"TEAM_TENANT": GUID})
    assert (tmp_path / "settings" / "team.env").read_bytes().decode() == new


LINES = st.text(st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from("$'\"#\\{}=` \t"), max_size=40)


@settings(max_examples=150, deadline=None)
@given(value=LINES, before=LINES, newer=LINES)
def test_any_value_comes_back_as_it_was(tmp_path_factory, value, before, newer):
    path = tmp_path_factory.mktemp("env") / ".env"
    path.write_text(env_text({"FIRST": before, "AZURE_CLIENT_SECRET": value, "LAST": "x"}), encoding="utf-8")
    assert dict(dotenv_values(path)) == {"FIRST": before, "AZURE_CLIENT_SECRET": value, "LAST": "x"}
    update_env(path, {"AZURE_CLIENT_SECRET": newer})
    assert dict(dotenv_values(path)) == {"FIRST": before, "AZURE_CLIENT_SECRET": newer, "LAST": "x"}


@pytest.mark.parametrize("value", ["two\nlines", "a\rb", "nul\0", "\x1b[31m"])
def test_a_value_that_is_no_line_is_refused(tmp_path, value):
    with pytest.raises(SettingsError, match=r"\[value-unwritable\]"):
        update_env(tmp_path / ".env", {"AZURE_CLIENT_SECRET": value})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@of_files
def test_a_link_to_the_database_stays_one(local_azure, tmp_path):
    azure = local_azure(World(subscriptions=1))
    (tmp_path / "disk").mkdir()
    (tmp_path / "scores.duckdb").symlink_to("disk/real.duckdb")
    (tmp_path / "scores.work.duckdb").symlink_to("disk/work.duckdb")
    env = {**azure.settings(), "SECSCORE_DATABASE": "scores.duckdb"}
    for command in (("sync",), ("maintain",), ("status",)):
        secscore(*command, cwd=tmp_path, env=env)
    assert (tmp_path / "scores.duckdb").readlink() == Path("disk/real.duckdb")
    assert (tmp_path / "scores.work.duckdb").is_symlink()
    assert {path.name for path in (tmp_path / "disk").iterdir()} >= {"real.duckdb", "work.duckdb"}
    assert "16" in secscore("query", "select count(*) from ocsf.assessment_findings", cwd=tmp_path, env=env).stdout
