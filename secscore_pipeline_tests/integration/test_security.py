"""What a security team would try: secrets in every byte written, markup in names, tokens in clear, open files."""

import json
import os
import re
import subprocess
import sys

import dagster as dg
import psutil
import pytest

from secscore_pipeline.azure.event_types import SECURE_SCORES, fetch
from secscore_pipeline.clock import utc_now
from secscore_pipeline.config.registry import SETTINGS
from secscore_pipeline.emulator.faults import Fault, Kind
from secscore_pipeline.emulator.world import Counts, World
from secscore_pipeline.system.redaction import quote_answer
from secscore_pipeline.text import printable
from secscore_pipeline_tests.azure.test_transport import QUICK, client_of
from secscore_pipeline_tests.conftest import secscore
from secscore_pipeline_tests.fuzzing.leaks import written
from testbed.listener import Listener
from testbed.waiting import DEADLINE

MARK = "marked~secret.5f1d8a-0c"
REFUSED = '{{"error":"invalid_client","error_description":"AADSTS7000215: you sent {}","error_codes":[7000215]}}'

SCENARIOS = {
    "all goes well": None,
    "Entra sends the secret back": Fault(Kind.STATUS, "oauth2", status=401, body=REFUSED.format(MARK).encode()),
    "Entra is down": Fault(Kind.STATUS, "oauth2", status=503, body=MARK.encode()),
    "ARM sends the token back in an error": Fault(Kind.ECHO, "subscriptions", status=400),
    "ARM sends the token back in a refusal": Fault(Kind.ECHO, "subscriptions", status=403),
    "the token is refused twice": Fault(Kind.ECHO, "subscriptions", status=401),
    "a redirect": Fault(Kind.STATUS, "subscriptions", status=302, headers={"location": "https://example.com/"}),
    "a body that is no list": Fault(Kind.STATUS, "subscriptions", status=200, body=b'{"value": 1}'),
    "the connection is lost": Fault(Kind.RESET, "secureScoreControls"),
}


def test_no_secret_is_in_any_byte_that_is_written_printed_or_listed(local_azure, tmp_path):
    azure = local_azure(World(subscriptions=2, mixed=False))
    azure.application.secret = MARK
    env = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "COLUMNS": "200", **azure.settings(),
        "SECSCORE_DATABASE": str(tmp_path / "store.duckdb"), "DAGSTER_HOME": str(tmp_path / "dagster"),
        "TMPDIR": str(tmp_path),
    }  # fmt: skip
    command_lines = set()

    def look_around(_):
        for process in psutil.process_iter(["cmdline"]):
            command_lines.add(" ".join(process.info["cmdline"] or []))

    azure.on_arm_request = look_around
    sync = [sys.executable, "-m", "secscore_pipeline.cli", "--verbose", "sync"]
    test_connection = [sys.executable, "-m", "secscore_pipeline.cli", "--verbose", "test-connection"]
    dagster_run = [
        sys.executable, "-m", "dagster", "job", "execute", "-m", "secscore_pipeline.definitions", "-j", "sync",
    ]  # fmt: skip

    def run(command, secret=MARK):
        done = subprocess.run(
            command, cwd=tmp_path, env={**env, "AZURE_CLIENT_SECRET": secret}, capture_output=True, timeout=DEADLINE,
            check=False,
        )  # fmt: skip
        return done.stdout + done.stderr

    printed = run(dagster_run) + run(dagster_run, MARK + "-wrong") + run(test_connection, MARK + "-wrong")
    for name, fault in SCENARIOS.items():
        azure.faults[:] = [fault] if fault else []
        printed += run(test_connection if fault and fault.path == "oauth2" else sync)
        assert fault is None or fault.struck, name
    tokens = list(azure.entra._issued)
    assert len(tokens) > len(SCENARIOS) / 2
    assert "sync" in "".join(command_lines)
    needles = [MARK.encode(), *(part.encode() for token in tokens for part in (token, token.rsplit(".", 1)[1]))]
    haystacks = [("output", printed), ("process list", "\n".join(command_lines).encode()), *written(tmp_path)]
    assert len(haystacks) > 20
    found = {str(where) for where, content in haystacks for needle in needles if needle in content}
    assert found == set()


def test_everything_that_a_run_creates_is_for_its_owner_alone(local_azure, tmp_path):
    azure = local_azure(World(subscriptions=1))
    folder = tmp_path / "work"
    folder.mkdir()
    env = {
        **azure.settings(), "SECSCORE_DATABASE": str(folder / "db" / "store.duckdb"),
        "DAGSTER_HOME": str(folder / "dagster"),
    }  # fmt: skip
    secscore("sync", cwd=folder, env=env, preexec_fn=lambda: os.umask(0o022))
    open_to_others = {str(path) for path in folder.rglob("*") if path.stat().st_mode & 0o077}
    assert open_to_others == set()
    assert len(list(folder.rglob("*"))) > 5


EVIL = [
    "<script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "![x](https://example.com/pixel.png)",
    "\x1b[2J\x1b]8;;https://example.com\x07wiped",
    "[red]not markup[/red]",
    "\u202etxet desrever",
    "two\nlines\x00",
]


def test_names_that_hold_markup_are_shown_as_text(local_azure, store, capfd):
    azure = local_azure(World(subscriptions=2))
    only, scored = azure.world.subscriptions
    scope = f"/subscriptions/{only}/providers/Microsoft.Security/secureScores/ascScore/secureScoreControls"
    records = [
        {
            "id": f"{scope}/{number}",
            "name": name,
            "properties": {
                "displayName": name,
                "score": {"max": 5, "current": 9 if number == 0 else 1},
                "healthyResourceCount": 0,
                "unhealthyResourceCount": 1,
            },
        }
        for number, name in enumerate(EVIL)
    ]
    azure.arm.verbatim[only, "secureScoreControls"] = json.dumps({"value": records}).encode()
    azure.arm.verbatim[only, "secureScores"] = json.dumps(
        {"value": [{"id": f"{scope}/s", "name": name, "properties": {"score": {"max": 5}}} for name in EVIL]}
    ).encode()
    azure.world.subscriptions[scored].counts = dict.fromkeys(azure.world.subscriptions[scored].counts, Counts(9, 0, 0))
    store.use(azure)
    result = store.sync(with_report=True)
    shown = [
        value
        for event in (*result.get_asset_materialization_events(), *result.get_asset_check_evaluations())
        for value in getattr(event, "materialization", event).metadata.values()
    ]
    markdown = "".join(value.md_str for value in shown if isinstance(value, dg.MarkdownMetadataValue))
    urls = [value.url for value in shown if isinstance(value, dg.UrlMetadataValue)]
    assert "script" in markdown
    assert not [name for name in EVIL if name in markdown]
    assert not re.search(r"(?<!\\)[<\[]", markdown)
    assert all(url.startswith("file:///") for url in urls)
    assert "<script>" in "".join(str(value) for value in shown)
    capfd.readouterr()
    from secscore_pipeline.cli import summaries

    summaries.console.width = 200
    with store.warehouse.get_reader() as connection:
        summaries.print_scores(connection)
        summaries.print_opportunities(connection)
    printed = "".join(capfd.readouterr())
    assert "[red]" in printed
    assert "\\x1b" in printed
    assert not [mark for mark in ("\x1b]8", "\x1b[2J", "\u202e", "\x00", "\x07") if mark in printed]


def test_text_of_others_is_made_fit_to_be_shown():
    assert printable("a\x1b[2J\u202eb\n🙂") == "a\\x1b[2J\\u202eb\\n🙂"
    said = "Bearer abc.def said eyJhbGciOi.eyJz-dWI.c2ln and hunter2"
    assert quote_answer(said, "hunter2") == "Bearer *** said *** and ***"
    assert len(quote_answer("x" * 1000)) == 300


def test_a_proxy_in_plain_http_never_hears_a_token(local_azure, monkeypatch):
    azure = local_azure(World(subscriptions=1))
    client = client_of(azure, QUICK)
    client.sign_in()
    heard = []

    def refuse(connection):
        heard.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")

    proxy = Listener(refuse)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    found = fetch(client, SECURE_SCORES, next(iter(azure.world.subscriptions)), utc_now)
    proxy.close()
    assert "could not be read" in (found.error or "")
    assert heard[0].startswith(b"CONNECT localhost:")
    assert b"earer" not in b"".join(heard)


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PYTHONHTTPSVERIFY", "SSL_NO_VERIFY"])
@pytest.mark.parametrize("value", ["", "0", "false"])
def test_no_variable_turns_the_verification_of_tls_off(local_azure, tmp_path, name, value):
    azure = local_azure(World(subscriptions=1))
    env = {**azure.settings(), "SECSCORE_CA_BUNDLE": "", name: value}
    done = secscore("test-connection", cwd=tmp_path, env=env, check=1)
    assert azure.entra.tokens_issued == 0
    assert "✗" in done.stderr


def test_no_setting_is_about_leaving_tls_unverified():
    assert not [setting.name for setting in SETTINGS if "VERIFY" in setting.name or "INSECURE" in setting.name]
