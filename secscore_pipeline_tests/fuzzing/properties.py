"""What must be true of each kind of case, whatever it holds."""

import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from secscore_pipeline.alerts.alert import Alert
from secscore_pipeline.alerts.channels import ChannelError, make_channels
from secscore_pipeline.azure.errors import AzureError, SignInError
from secscore_pipeline.azure.event_types import SECURE_SCORES, fetch_all
from secscore_pipeline.clock import utc_now
from secscore_pipeline.config.azure_settings import read_azure_settings
from secscore_pipeline.config.feeds import read_feeds
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.registry import SECSCORE_EXPORT_URL, SECSCORE_REPORT, SETTINGS
from secscore_pipeline.config.settings import read_alert_settings, read_export_layout, read_signal_settings
from secscore_pipeline.config.storage import read_parallel_runs
from secscore_pipeline.config.ui_hosts import read_ui_hosts
from secscore_pipeline.exports.destination import Destination
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline.ingest.connection_test import run_connection_steps, summarize_steps
from secscore_pipeline.ingest.listing import PendingListing
from secscore_pipeline.report.page import resolve_report_path
from secscore_pipeline.system.files import FileError
from secscore_pipeline.warehouse.errors import WarehouseError
from secscore_pipeline.warehouse.warehouse import Warehouse
from secscore_pipeline_tests.fuzzing.cases import (
    ArmCase,
    Case,
    ChannelCase,
    CommandCase,
    DatabaseCase,
    FeedsCase,
    KillCase,
    ListingCase,
    RecordsCase,
    SettingsCase,
    SignInCase,
)
from secscore_pipeline_tests.fuzzing.fetched import check_arm, check_records, nothing_leaked, views_are_readable
from secscore_pipeline_tests.fuzzing.harness import (
    SIGN_IN_SECONDS,
    Harness,
    as_text,
    environment,
)
from secscore_pipeline_tests.fuzzing.kills import check_kill
from secscore_pipeline_tests.fuzzing.leaks import written
from secscore_pipeline_tests.fuzzing.stores import damage, live, readable_rows, store_settings
from secscore_pipeline_tests.support.fetching import fetch_event_type

SETTINGS_SECONDS = 3.0
CHANNEL_SECONDS = 4.0
DAMAGED_SECONDS = 30
COMMAND_SECONDS = 120


def check(harness: Harness, case: Case) -> None:
    """Try a case.

    Raises:
        AssertionError: something that must be true of it is not.
    """
    CHECKS[type(case)](harness, case)


# ---- sign-in


def check_sign_in(harness: Harness, case: SignInCase) -> None:
    """A sign-in gives a token or says in a sentence why not, in time, and never sends the secret elsewhere."""
    azure = harness.azure
    azure.forget()
    azure.script(_PLACES[case.at], case.answers)
    client, said = harness.client(), []
    with harness.observed() as seen:
        began = time.monotonic()
        with suppress(SignInError):
            try:
                client.sign_in()
            except SignInError as error:
                harness.fit_to_be_shown(str(error))
                said.append(str(error))
                raise
        took = time.monotonic() - began
        fetches = list(fetch_all(client, [SECURE_SCORES], harness.subscription_ids, utc_now))
    assert sorted(fetch.subscription_id for fetch in fetches) == sorted(harness.subscription_ids)
    for fetch in fetches:
        if fetch.error:
            harness.fit_to_be_shown(fetch.error)
        said.append(repr(fetch))
    nothing_leaked(harness, seen, as_text(said))
    harness.in_time(took, SIGN_IN_SECONDS)


_PLACES = {
    "token": r"^POST /[^/]+/oauth2/v2\.0/token",
    "discovery": r"^GET /[^/]+/v2\.0/\.well-known/openid-configuration",
    "subscriptions": r"^GET /subscriptions\?",
    "descendants": r"^GET /providers/Microsoft\.Management/",
}


# ---- lists of subscriptions


_ASKED = re.compile(
    r"GET /subscriptions/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/providers/Microsoft\.Security/secureScore(s|Controls)\?.*"
    r"|GET /(subscriptions|providers/Microsoft\.Management/managementGroups/[^/]+/descendants)\?.*"
    r"|POST /[^/]+/oauth2/v2\.0/token|GET /[^/]+/v2\.0/\.well-known/openid-configuration|GET /"
)


def check_listing(harness: Harness, case: ListingCase) -> None:
    """A list of subscriptions is stored or refused with a sentence; nothing but subscriptions is asked for after it."""
    azure = harness.azure
    azure.forget()
    script = azure.script(_PLACES[case.at], case.answers)
    group = "landing-zones" if case.at == "descendants" else ""
    connection = harness.connection(AZURE_SUBSCRIPTION_IDS="*", AZURE_MANAGEMENT_GROUP_ID=group)
    warehouse, shown = harness.warehouse(), []
    with harness.observed() as seen:
        try:
            listing = PendingListing(connection, warehouse, "run", "owner").result()
            shown.append(repr(listing))
        except AzureError as error:
            harness.fit_to_be_shown(str(error))
            shown.append(str(error))
        try:
            taken = fetch_event_type(connection, warehouse, SECURE_SCORES, "run")
            shown.append(repr(taken))
        except AzureError as error:
            harness.fit_to_be_shown(str(error))
        steps = list(run_connection_steps(connection, utc_now))
    for step in steps:
        harness.fit_to_be_shown(step.says)
    harness.fit_to_be_shown(summarize_steps(steps))
    followed = {line for line in azure.lines if not _ASKED.fullmatch(line)} - set(script.lines)
    linked = re.compile(rb"nextLink")
    if not any(linked.search(part.data) for answer in case.answers for part in answer.parts):
        assert not followed, f"it asked for {sorted(followed)[0][:200]!r}"
    with warehouse.get_connection() as opened:
        views_are_readable(opened)
        shown += [as_text(opened.execute("select * from raw.fetches").fetchall())]
    nothing_leaked(harness, seen, "\n".join(shown))


# ---- commands


def check_command(harness: Harness, case: CommandCase) -> None:
    """A command on a hostile Azure ends with a sentence; no secret is in any byte printed, written or sent elsewhere."""
    azure = harness.azure
    azure.forget()
    azure.script(case.pattern, case.answers)
    folder = harness.folder / "command"
    folder.mkdir(exist_ok=True)
    home = folder / uuid.uuid4().hex
    home.mkdir()
    settings = {**azure.settings(), **store_settings(home), "DAGSTER_HOME": str(home / "dagster"), "TMPDIR": str(home)}
    with harness.observed(COMMAND_SECONDS, 2 * COMMAND_SECONDS):
        done = subprocess.run(
            [sys.executable, "-m", "secscore_pipeline.cli", *case.arguments],
            cwd=home,
            env={"PATH": os.environ["PATH"], "HOME": str(home), "COLUMNS": "200", **settings},
            capture_output=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    output = (done.stdout + done.stderr).decode("utf-8", "replace")
    _ended_with_a_sentence(done.returncode, output, is_verbose="--verbose" in case.arguments)
    harness.nobody_else_heard()
    harness.no_secret_in(**{"what was printed": done.stdout + done.stderr})
    for file, content in written(home):
        harness.no_secret_in(**{f"the file {file.name}": content})


def _ended_with_a_sentence(code: int, output: str, *, is_verbose: bool = False) -> None:
    """Fail where a command died, met what nobody foresaw, or ended with a code that is none of ours."""
    assert is_verbose or "Traceback (most recent call last)" not in output, f"a traceback: {output[-1500:]}"
    assert "[unforeseen]" not in output, f"nobody foresaw it: {output[-1500:]}"
    assert "internal error" not in output.lower(), output[-1500:]
    assert code in range(5), f"it ended with {code}: {output[-1500:]}"
    assert code == 0 or output.strip(), f"it ended with {code} and without a word"


# ---- settings


def check_settings(harness: Harness, case: SettingsCase) -> None:
    """Whatever settings hold, they are taken or refused with sentences that do not repeat what may be a secret."""
    given = {name: text.replace("${SECRET}", harness.secret) for name, text in case.settings.items()}
    whole = {**harness.azure.settings(), **given}
    with harness.observed(SETTINGS_SECONDS):
        _refused_with_sentences(harness, lambda: read_azure_settings(whole))
        with environment({name: text.replace("\0", "") for name, text in whole.items()}):
            for ask in _ASKED_OF_SETTINGS:
                _refused_with_sentences(harness, ask)


def _refused_with_sentences(harness: Harness, ask: Callable[[], object]) -> None:
    try:
        ask()
    except (SettingsError, WarehouseError, FileError, AzureError) as error:
        for problem in getattr(error, "problems", [str(error)]):
            harness.fit_to_be_shown(problem)


def _open_store() -> None:
    warehouse = Warehouse.from_environment()
    for name in ("path", "published_path", "label", "lake"):
        getattr(warehouse, name)


def _read_connection() -> None:
    for feed in read_feeds():
        AzureConnection.of(feed).settings()


_ASKED_OF_SETTINGS: tuple[Callable[[], object], ...] = (
    _open_store,
    _read_connection,
    *(setting.read for setting in SETTINGS),
    read_alert_settings,
    read_parallel_runs,
    read_export_layout,
    read_signal_settings,
    partial(read_ui_hosts, 0),
    lambda: resolve_report_path(SECSCORE_REPORT.read()),
    lambda: Destination(SECSCORE_EXPORT_URL.read()).label,
)
"""Everything that reads settings before a run begins."""


# ---- feeds.yaml


def check_feeds(harness: Harness, case: FeedsCase) -> None:
    """Any file of feeds is taken or refused with sentences, in bounded time."""
    path = harness.folder / "feeds.yaml"
    path.write_bytes(case.content)
    with harness.observed(SETTINGS_SECONDS), environment({"SECSCORE_FEEDS": str(path)}):
        _refused_with_sentences(harness, _read_connection)


# ---- damaged stores


def check_database(harness: Harness, case: DatabaseCase) -> None:
    """A command on a damaged store ends with a sentence, and an intact published file is never made worse."""
    folder, settings = harness.store("lived", lambda made: live(harness, made))
    store = folder / "store"
    for name in ("work", "published") if case.file == "both" else (case.file,):
        damage(store / f"{name}.duckdb", case.damage)
    before = readable_rows(harness, store / "published.duckdb")
    arguments = {"query": ("query", "select count(*) from raw.fetches"), "export": ("export", "--format", "jsonl")}
    with harness.observed(ended_after=2 * DAMAGED_SECONDS):
        done = harness.commands.run(
            {**harness.right_azure.settings(), **settings},
            *arguments.get(case.command, (case.command,)),
            folder=folder,
            seconds=DAMAGED_SECONDS,
        )
    assert done.code != -14, f"it was still running after {DAMAGED_SECONDS} s"
    _ended_with_a_sentence(done.code, done.output)
    after = readable_rows(harness, store / "published.duckdb")
    if before is not None:
        assert after is not None, (
            f"the published file was readable and is not any more; {done.code}: {done.output[-600:]}"
        )
        assert before <= after, (
            f"the published file lost {len(before - after)} fetches; {done.code}: {done.output[-600:]}"
        )
    if done.code == 0 and case.command in ("sync", "maintain"):
        assert after is not None, f"it ended with 0, and the published file cannot be read: {done.output[-600:]}"


# ---- alerts


_ALERT = Alert("key", "test", "A title", ("a line", "another"), "What to do.")


def check_channel(harness: Harness, case: ChannelCase) -> None:
    """A channel takes an alert, by a 2xx and the documented answer, or says in a sentence why not, in time."""
    receiver, azure = harness.receiver, harness.azure
    azure.forget()
    receiver.answers, receiver.played = case.answers, 0
    token = f"xoxb-{harness.secret[3:19]}-{harness.secret[-16:]}"
    path = f"{receiver.url()}/{harness.secret[3:19]}{harness.secret[-16:]}"
    settings = {
        "slack": {"SECSCORE_ALERT_SLACK_TOKEN": token, "SECSCORE_ALERT_SLACK_URL": f"{receiver.url()}/api/"},
        "teams": {"SECSCORE_ALERT_TEAMS": path},
        "webhook": {"SECSCORE_ALERT_WEBHOOK": path, "SECSCORE_ALERT_WEBHOOK_SECRET": harness.secret},
    }[case.channel]
    netrc = harness.folder / "netrc"
    netrc.write_text("default login somebody password marked-netrc-password\n")
    netrc.chmod(0o600)
    said = ""
    with harness.observed(CHANNEL_SECONDS) as seen, environment({**settings, "NETRC": str(netrc)}):
        (channel,) = make_channels(read_alert_settings())
        try:
            channel.send(_ALERT, "http://127.0.0.1:3000/", CHANNEL_SECONDS)
            was_sent = True
        except ChannelError as error:
            was_sent, said = False, str(error)
    log = "\n".join(seen.log)
    for secret in (harness.secret[3:19], harness.secret[-16:], "marked-netrc-password"):
        assert secret not in said, f"a secret is in {said!r}"
        assert secret not in log, "a secret is in the log"
        assert secret.encode() not in azure.plain.heard, "a secret was sent elsewhere"
    assert b"marked-netrc-password" not in receiver.heard, "a password of .netrc was sent"
    assert b"Authorization: Basic" not in receiver.heard, "a password of .netrc was sent"
    receiver.heard.clear()
    if was_sent:
        _was_really_taken(case)
    else:
        harness.fit_to_be_shown(said)


def _was_really_taken(case: ChannelCase) -> None:
    """Fail where no answer of the case is a 2xx, or Slack's without `"ok": true`."""
    whole = [b"".join(part.data for part in answer.parts) for answer in case.answers]
    taken = [held for held in whole if re.search(rb"^HTTP/1\.[01] +2\d\d", held, re.MULTILINE)]
    assert taken, "it counts as sent, and no answer was a 2xx"
    if case.channel == "slack":
        assert any(re.search(rb'"ok"\s*:\s*true', held) for held in taken), (
            "it counts as sent, and Slack did not say ok"
        )


CHECKS: dict[type, Callable[[Harness, Any], None]] = {
    ArmCase: check_arm,
    RecordsCase: check_records,
    SignInCase: check_sign_in,
    ListingCase: check_listing,
    CommandCase: check_command,
    SettingsCase: check_settings,
    FeedsCase: check_feeds,
    DatabaseCase: check_database,
    ChannelCase: check_channel,
    KillCase: check_kill,
}
