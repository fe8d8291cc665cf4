"""The command line where the machine or its user does something odd: a sentence, a true exit code, and no secret."""

import os
import re
import secrets
import sqlite3
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from secscore_pipeline.cli import services
from secscore_pipeline.cli.main import main
from secscore_pipeline.config.registry import SETTINGS
from secscore_pipeline.emulator.world import World
from secscore_pipeline_tests.conftest import of_files, secscore
from testbed.waiting import DEADLINE

GUID = "11111111-2222-3333-4444-555555555555"
COMMAND = [sys.executable, "-m", "secscore_pipeline.cli"]


def run(folder, *arguments, **options):
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), **options.pop("env", {})}
    given = {"cwd": folder, "env": env, "stderr": subprocess.PIPE, "text": True, "timeout": DEADLINE, "check": False}
    return subprocess.run([*COMMAND, *arguments], **{**given, **options})


@pytest.fixture(scope="module")
def stored(module_azure, module_store):
    azure = module_azure(World(subscriptions=2))
    module_store.use(azure)
    module_store.sync()
    return {**azure.settings(), **module_store.settings}


PRINTING = [
    ("--help",),
    ("--version",),
    ("query", "--help"),
    ("query",),
    ("query", "select 1", "--format", "csv"),
    ("status",),
    ("status", "--json"),
    ("completion", "bash"),
    ("azure-setup",),
    ("report",),
    ("test-connection", "--json"),
]


@of_files
@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_what_cannot_be_printed_is_a_sentence_and_no_success(stored, tmp_path, arguments):
    env = {**stored, "SECSCORE_REPORT": str(tmp_path / "report.html")}
    with Path("/dev/full").open("w") as full:
        done = run(tmp_path, *arguments, env=env, stdout=full)
    assert done.returncode == 1, done.stderr
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_closed_output_is_a_sentence_and_a_closed_pipe_says_nothing(stored, tmp_path):
    closed = run(tmp_path, "query", "select 1", env=stored, preexec_fn=lambda: os.close(1))
    assert closed.returncode == 1
    assert "Bad file descriptor" in closed.stderr
    assert "Traceback" not in closed.stderr
    reader, writer = os.pipe()
    os.close(reader)
    pipe = run(tmp_path, "query", "from range(100000)", "--format", "csv", env=stored, stdout=writer)
    os.close(writer)
    assert (pipe.returncode, pipe.stderr) == (1, "")
    with Path("/dev/full").open("w") as full:
        silent = run(tmp_path, "query", "selec", env=stored, stdout=subprocess.DEVNULL, stderr=full)
    assert silent.returncode == 1


def test_a_closed_input_or_error_output_takes_no_number_of_a_file(stored, tmp_path):
    def close():
        os.close(0)
        os.close(2)

    done = run(tmp_path, "status", env=stored, stdout=subprocess.PIPE, preexec_fn=close)
    assert "Database:" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prepare", "failure"),
    [
        (lambda path: path.mkdir(), "env-unreadable"),
        (lambda path: path.write_bytes("SECSCORE_DATABASE=ä\n".encode("cp1252")), "env-unreadable"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "env-unreadable"),
        (lambda path: path.write_bytes(b"SECSCORE_DATABASE=a\0b\n"), "env-unreadable"),
        (lambda path: path.write_text("SECSCORE_DATABASE=~nouser/x.duckdb\n"), "home-unknown"),
        (lambda path: path.write_text("SECSCORE_FEEDS=~nouser/feeds.yaml\n"), "home-unknown"),
        (lambda path: path.write_text(f"SECSCORE_DATABASE={'x' * 300}.duckdb\n"), "folder-unusable"),
        (lambda path: path.write_text(f"SECSCORE_FEEDS={'x' * 300}\n"), "folder-unusable"),
        (lambda path: path.write_text("SECSCORE_FEEDS=/dev/full\n"), "feeds-malformed"),
        (lambda path: path.symlink_to("/dev/full"), "env-unreadable"),
        (os.mkfifo, "env-unreadable"),
    ],
)
def test_odd_settings_are_a_sentence(tmp_path, prepare, failure):
    prepare(tmp_path / ".env")
    done = run(tmp_path, "status", stdout=subprocess.PIPE)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("✗") == 1
    assert f"[{failure}]" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_settings_of_somebody_else_are_a_sentence(tmp_path):
    (tmp_path / ".env").write_text("SECSCORE_DATABASE=x\n")
    (tmp_path / ".env").chmod(0)
    assert "env-unreadable" in run(tmp_path, "status", stdout=subprocess.PIPE).stderr


def test_a_working_directory_that_is_gone_is_a_sentence(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f'rmdir "{gone}"; exec "$0" -m secscore_pipeline.cli status'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable],
        cwd=gone,
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == 2
    assert "[working-directory-gone]" in done.stderr
    assert "Traceback" not in done.stderr


def test_more_subscriptions_than_a_process_takes_are_a_sentence(tmp_path):
    ids = ",".join(f"{number:08x}-2222-3333-4444-555555555555" for number in range(50_000))
    (tmp_path / ".env").write_text(
        f"AZURE_TENANT_ID={GUID}\nAZURE_CLIENT_ID={GUID[:-1]}6\nAZURE_CLIENT_SECRET={secrets.token_hex()}\n"
        f"AZURE_SUBSCRIPTION_IDS={ids}\n"
    )
    done = run(tmp_path, "dev", stdout=subprocess.PIPE)
    assert done.returncode == 2
    assert "[setting-too-long]" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"this is no database" * 500, None], ids=["damaged", "locked"])
def test_records_of_dagsters_that_cannot_be_read_are_a_sentence(local_azure, tmp_path, content):
    env = {**local_azure(World(subscriptions=1)).settings(), "DAGSTER_HOME": str(tmp_path / "home")}
    secscore("sync", cwd=tmp_path, env=env)
    databases = list((tmp_path / "home").rglob("*.db"))
    assert databases
    held = []
    for path in databases:
        if content:
            path.write_bytes(content)
        else:
            held.append(sqlite3.connect(path))
            held[-1].execute("pragma journal_mode = delete")
            held[-1].execute("begin exclusive")
    try:
        done = secscore("sync", cwd=tmp_path, env=env, check=None)
    finally:
        for connection in held:
            connection.close()
    assert done.returncode == 2
    assert "[instance-unusable]" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_nobody_foresaw_is_a_sentence_without_the_secret():
    secret = secrets.token_urlsafe(30)
    code = """
import os, sys
from secscore_pipeline.cli import settings
from secscore_pipeline.cli.main import main
def fail():
    raise KeyError("what holds " + os.environ["AZURE_CLIENT_SECRET"])
settings.read_feeds = fail
main(sys.argv[1:])
"""
    env = {**os.environ, "AZURE_CLIENT_SECRET": secret}
    for arguments, is_told in ((["status"], False), (["--verbose", "status"], True)):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert "[unforeseen]" in done.stderr
        assert ("Traceback" in done.stderr) is is_told
        assert secret not in done.stdout + done.stderr


def test_a_file_of_secrets_that_everybody_reads_is_said(tmp_path):
    (tmp_path / ".env").write_text("AZURE_CLIENT_SECRET=not-told\n")
    (tmp_path / ".env").chmod(0o644)
    done = run(tmp_path, "status", stdout=subprocess.PIPE)
    assert f"chmod 600 {tmp_path / '.env'} [env-exposed]" in done.stderr.replace("\n", " ")
    assert "not-told" not in done.stderr
    (tmp_path / ".env").chmod(0o640)
    assert "env-exposed" not in run(tmp_path, "status", stdout=subprocess.PIPE).stderr


GIVEN = {
    "AZURE_TENANT_ID": GUID,
    "AZURE_CLIENT_ID": f"{GUID[:-1]}6",
    "AZURE_CLIENT_SECRET": "x",
    "SECSCORE_EXPORTS": "csv",
    "SECSCORE_ALERT_WEBHOOK": "http://127.0.0.1:9/",
}
COMMANDS = [["test-connection"], ["sync"], ["status"], ["alert"], ["dev"]]
COMMANDS += [["demo", "--days", "0", "--subscriptions", "1"]]
OF_THE_STORE = [["query", "select 1"], ["maintain"], ["export", "--format", "csv"], ["report"]]
"""They use no setting of the connection: tried with those of the store and of what is made of it."""


NAMES_A_FILE = {"SECSCORE_REPORT", "SECSCORE_EXPORT_URL"}
"""Where a file or folder of that name is made, and then shown."""


@pytest.mark.parametrize("name", [setting.name for setting in SETTINGS if setting.name not in NAMES_A_FILE])
def test_a_secret_in_the_place_of_any_setting_is_not_shown(tmp_path, monkeypatch, name):
    secret = f"{secrets.token_hex(2)}8Q~{secrets.token_urlsafe(20)}_{secrets.token_hex(4)}"
    for setting, text in {**GIVEN, "SECSCORE_ARM_ENDPOINT": "https://127.0.0.1:9", name: secret}.items():
        monkeypatch.setenv(setting, text)
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", secret if name == "AZURE_AUTHORITY_HOST" else "https://127.0.0.1:9")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(services, "serve_dagster", lambda port: None)
    is_of_store = re.search("DATA|RETENTION|KEEP|EXPORT|FEEDS", name)
    for command in [*COMMANDS, *(OF_THE_STORE if is_of_store else [])]:
        if command[0] in ("sync", "demo", "test-connection") and name not in CHECKED_FIRST:
            continue  # would go on to the network
        done = CliRunner().invoke(main, command)
        assert secret not in done.output.replace("\n", ""), command
        assert "Traceback" not in done.output, command


CHECKED_FIRST = {
    name for name in (setting.name for setting in SETTINGS) if name.startswith("AZURE_") and name not in GIVEN
} | {"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "SECSCORE_MAX_CONNECTIONS", "SECSCORE_EVENT_TYPES", "SECSCORE_ENTITIES"}
CHECKED_FIRST -= {"AZURE_MANAGEMENT_GROUP_ID", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD"}
CHECKED_FIRST -= {"AZURE_FEDERATED_TOKEN_FILE"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("init", "--no-ask", "--tenant", "{secret}", "--client-id", GUID),
        ("init", "--no-ask", "--tenant", GUID, "--client-id", "{secret}"),
        ("init", "--no-ask", "--token-url", "https://{secret}/x"),
        ("init", "--no-ask", "--set", "{secret}"),
        ("init", "--no-ask", "--set", "{secret}=1"),
        ("azure-setup", "--name", "{secret}"),
        ("migrate", "--to", "{secret}"),
    ],
)
def test_a_secret_in_the_place_of_an_option_is_not_shown(tmp_path, arguments):
    secret = f"8Q~{secrets.token_urlsafe(20)}~"
    done = run(tmp_path, *(one.format(secret=secret) for one in arguments), stdout=subprocess.PIPE)
    assert done.returncode == 2
    assert secret not in done.stdout + done.stderr
    assert not (tmp_path / ".env").exists()


def test_yaml_that_grows_is_refused_at_once(tmp_path):
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in pairwise("abcdefgh")]
    (tmp_path / "feeds.yaml").write_text("\n".join(lines))
    done = run(tmp_path, "status", stdout=subprocess.PIPE)
    assert done.returncode == 2
    assert "line 1" in done.stderr
    assert "[feeds-malformed]" in done.stderr
