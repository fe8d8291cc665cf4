"""Channels: where an alert may go, when it counts as delivered, how long that takes, and what becomes of the others."""

import json
import sqlite3
import threading
import time
from datetime import timedelta
from itertools import pairwise

import dagster as dg
import pytest

from secscore_pipeline.alerts import delivery
from secscore_pipeline.alerts import journal as journals
from secscore_pipeline.alerts.alert import Alert
from secscore_pipeline.alerts.channels import ChannelError, Slack, Teams, Webhook
from secscore_pipeline.alerts.journal import JournalError, journal_path, list_set_aside, open_journal
from secscore_pipeline.alerts.notify import send_alert, send_new_alerts
from secscore_pipeline.clock import utc_now
from secscore_pipeline.config.feeds import read_feeds
from secscore_pipeline.definitions import defs
from secscore_pipeline.defs.sensors import build_alert_sensors
from secscore_pipeline_tests.conftest import secscore
from testbed.waiting import DEADLINE

KINDS = ("slack", "teams", "webhook")
ALERTS = [Alert(f"test/{n}", "test", f"Message {n}", (), "Nothing to do.") for n in range(3)]
TOKEN = "xoxb-" + "mark" * 5


def channel_to(receiver, kind):
    if kind == "slack":
        return Slack(TOKEN, "#alerts", f"{receiver.url}/api/")
    return Teams(f"{receiver.url}/teams") if kind == "teams" else Webhook(f"{receiver.url}/hook")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_channel_follows_a_redirect(receiver, elsewhere, kind, status):
    receiver.faults = [(status, {"Location": f"{elsewhere.url}/hook"}, b'{"ok": true}')]
    with pytest.raises(ChannelError, match=f"answered {status}") as raised:
        channel_to(receiver, kind).send(ALERTS[0], "http://ui", 10)
    assert raised.value.is_refusal
    assert elsewhere.paths() == []
    assert len(receiver.paths()) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_no_channel_is_sent_what_a_netrc_holds(receiver, kind, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("default login me password netrc-mark\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    channel_to(receiver, kind).send(ALERTS[0], "http://ui", 10)
    ((_, headers, _),) = receiver.got
    assert headers.get("Authorization", "") == (f"Bearer {TOKEN}" if kind == "slack" else "")


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        *(("slack", 200, body) for body in (b"[]", b"5", b"null", b"", b"<html>", b'{"ok": "true"}', b"\xff")),
        ("slack", 200, b'{"ok": 1}'),
        ("slack", 200, b"[" * 100_000),
        ("slack", 200, b'{"ok": false, "error": "' + TOKEN.encode() * 30 + b'"}'),
        ("slack", 202, b'{"ok": true}'),
        ("teams", 200, b"Webhook message delivery failed with error: 413"),
        ("teams", 200, b""),
        ("teams", 204, b""),
        ("webhook", 304, b""),
        ("webhook", 400, b'{"ok": true}'),
    ],
)  # fmt: skip
def test_what_is_not_answered_as_documented_is_no_delivery(receiver, kind, status, body):
    receiver.faults = [(status, {}, body)]
    with pytest.raises(ChannelError) as raised:
        channel_to(receiver, kind).send(ALERTS[0], "http://ui", 10)
    assert TOKEN not in str(raised.value)
    assert receiver.url not in str(raised.value)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    ("kind", "status", "body"), [("teams", 200, b"1"), ("webhook", 201, b""), ("webhook", 204, b"")]
)
def test_what_is_answered_as_documented_is_a_delivery(receiver, kind, status, body):
    receiver.faults = [(status, {}, body)]
    channel_to(receiver, kind).send(ALERTS[0], "http://ui", 10)
    assert len(receiver.paths()) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("asked", ["3600", "9" * 5000, "Thu, 01 Jan 2099 00:00:00 GMT", "soon", "-5"])
def test_a_channel_that_asks_for_patience_blocks_nothing(receiver, kind, asked):
    receiver.faults = [(503, {"Retry-After": asked}, b"")] * 4
    begun = time.monotonic()
    with pytest.raises(ChannelError) as raised:
        channel_to(receiver, kind).send(ALERTS[0], "http://ui", 2)
    assert time.monotonic() - begun < DEADLINE  # nobody waits for an hour
    assert not raised.value.is_refusal
    assert raised.value.retry_after >= 0


@pytest.fixture
def alerting(receiver, elsewhere, store, monkeypatch):
    """Set two channels: Teams on `elsewhere`, and a webhook on `receiver`."""
    settings = {**store.settings, "SECSCORE_ALERT_WEBHOOK": f"{receiver.url}/hook"}
    for name, text in settings.items():
        monkeypatch.setenv(name, text)
    return settings


def send(alerts=ALERTS, now=None):
    """Deliver alerts over what is set, as one tick does."""
    from secscore_pipeline.alerts.notify import channels
    from secscore_pipeline.warehouse.warehouse import Warehouse

    clock = (lambda: now) if now else utc_now
    with open_journal(Warehouse.from_environment().published_path, clock()) as journal:
        return delivery.deliver_alerts(alerts, channels(), journal, "http://ui", clock)


def test_a_channel_that_does_not_answer_keeps_the_others_waiting_for_its_share_only(
    alerting, receiver, elsewhere, monkeypatch
):
    monkeypatch.setenv("SECSCORE_ALERT_TEAMS", f"{elsewhere.url}/teams")
    for name, seconds in (("ALL_SECONDS", 4.0), ("DELIVERY_SECONDS", 3.0), ("SHORTEST_SECONDS", 1.0)):
        monkeypatch.setattr(delivery, name, seconds)
    elsewhere.faults = ["stall"] * 20
    told = send()
    assert (told.sent, set(told.failed)) == (3, {"teams"})
    assert len(receiver.alerts) == 3


def test_a_message_that_is_refused_for_ever_holds_up_no_other_one_and_is_set_aside(alerting, store, receiver, tmp_path):
    now = utc_now() - timedelta(days=3)
    receiver.refuses = lambda body: b"Message 0" in body
    told = send(now=now)
    assert (told.sent, told.set_aside) == (2, ())
    sent_in_vain = []
    for hour in range(1, 30):
        told = send([ALERTS[0]._replace(key="later", title="Later")] if hour == 20 else [], now + timedelta(hours=hour))
        assert told.sent == (hour == 20)
        sent_in_vain.append(len(receiver.refused))
        if told.set_aside:
            break
    assert hour == 24
    assert told.set_aside == ("webhook did not take “Message 0”: The webhook answered 400.",)
    assert [alert["title"] for alert in receiver.alerts] == ["Message 1", "Message 2", "Later"]
    send(ALERTS, now + timedelta(days=2))
    assert len(receiver.refused) == sent_in_vain[-1]

    ((channel, alerts, since, reason),) = list_set_aside(store.published)
    assert (channel, alerts, reason) == ("webhook", 1, "The webhook answered 400.")
    assert since == now + timedelta(hours=24)
    secscore("alert", "--acknowledge", cwd=tmp_path, env=alerting)
    assert list_set_aside(store.published) == []
    assert send(ALERTS, now + timedelta(days=2)).sent == 0


@pytest.mark.slow
def test_what_was_set_aside_is_shown_by_status_and_ages_out(alerting, local_azure, store, receiver, tmp_path):
    store.use(local_azure(), **alerting)
    store.sync()
    receiver.refuses = lambda body: True
    for hours in (0, 12, 25):
        send(ALERTS[:2], utc_now() - timedelta(hours=25 - hours))
    line = "2 alerts were set aside since "
    why = "since webhook did not take them: The webhook answered 400."
    shown = secscore("status", cwd=tmp_path, env=alerting, check=1).stdout
    assert line in shown
    assert why in shown
    assert (
        "SECSCORE WARNING - 2 alerts were"
        in secscore("status", "--max-age", "1d", cwd=tmp_path, env=alerting, check=1).stdout
    )
    send([], utc_now() + timedelta(days=31))
    secscore("status", cwd=tmp_path, env=alerting)


def test_a_message_on_which_a_channel_breaks_lets_the_others_pass(alerting, receiver):
    monitor = utc_now()
    receiver.faults = [500] * 4
    assert send(now=monitor).sent == 0
    receiver.faults = []
    assert send([], monitor + timedelta(minutes=1)).sent == 3
    assert [alert["title"] for alert in receiver.alerts] == ["Message 1", "Message 2", "Message 0"]


def test_pauses_grow_and_what_a_channel_asks_for_is_observed(alerting, receiver):
    begun = utc_now()
    receiver.refuses = lambda body: True
    times = []
    for minute in range(200):
        before = len(receiver.refused)
        send(ALERTS[:1], begun + timedelta(minutes=minute))
        if len(receiver.refused) > before:
            times.append(minute)
    assert times[:2] == [0, 1]
    gaps = [after - before for before, after in pairwise(times)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == 60
    receiver.refuses = lambda body: False
    receiver.faults = [(429, {"Retry-After": "3600"}, b"")]
    later = begun + timedelta(hours=5)
    assert send([ALERTS[1]], later).failed
    send([], later + timedelta(minutes=59))
    assert [alert["title"] for alert in receiver.alerts] == ["Message 0"]
    send([], later + timedelta(minutes=61))
    assert [alert["title"] for alert in receiver.alerts] == ["Message 0", "Message 1"]


def test_a_clock_that_was_ahead_makes_no_alert_wait_for_it(alerting, receiver):
    receiver.refuses = lambda body: True
    for minutes in range(40):
        send(ALERTS[:1], utc_now() + timedelta(days=365, minutes=minutes))
    receiver.refuses = lambda body: False
    assert send([]).sent == 1


def test_the_alert_of_a_failed_run_waits_for_its_channel(alerting, receiver):
    receiver.faults = [404]
    assert send_alert(ALERTS[0]).failed
    assert tuple(send_new_alerts(read_feeds()))[:2] == (1, {})
    assert [alert["title"] for alert in receiver.alerts] == ["Message 0"]


def test_a_test_message_that_does_not_arrive_does_not_come_later(alerting, receiver, tmp_path):
    receiver.faults = [404]
    secscore("alert", "--test", cwd=tmp_path, env=alerting, check=1)
    assert "0 messages sent" in secscore("alert", cwd=tmp_path, env=alerting).stdout
    assert receiver.alerts == []


def damage_header(path):
    path.write_bytes(b"no journal" * 500)


def damage_pages(path):
    held = bytearray(path.read_bytes())
    held[4096:] = b"\xa5" * (len(held) - 4096)
    path.write_bytes(held)


def damage_cell(path):
    with sqlite3.connect(path) as connection:
        connection.execute("update begun set at = 'some day'")
    connection.close()


def damage_waiting_alert(path):
    with sqlite3.connect(path) as connection:
        connection.execute("insert into pending (key, channel, alert, queued_at) values ('k', 'webhook', '[]', 0)")
    connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("damage", [damage_header, damage_pages, damage_cell, damage_waiting_alert])
def test_a_damaged_journal_is_one_sentence_everywhere_and_nothing_is_sent(alerting, store, receiver, tmp_path, damage):
    send([])
    path = journal_path(store.published)
    damage(path)
    before = path.read_bytes()
    done = secscore("alert", cwd=tmp_path, env=alerting, check=1)
    assert done.stderr.startswith("✗ ")
    assert done.stderr.rstrip().endswith("[journal-damaged]")
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    news, _ = build_alert_sensors(read_feeds())
    with (
        dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}) as instance,
        dg.build_sensor_context(instance, definitions=defs) as context,
    ):
        assert "[journal-damaged]" in news.evaluate_tick(context).skip_message
    assert receiver.paths() == []
    assert path.read_bytes() == before
    path.unlink()
    secscore("alert", cwd=tmp_path, env=alerting)


def test_a_journal_that_is_held_or_cannot_be_written_is_one_sentence(alerting, store, receiver, tmp_path, monkeypatch):
    send([])
    monkeypatch.setattr(journals, "LOCK_PATIENCE", 0.2)
    path = journal_path(store.published)
    holder = sqlite3.connect(path)
    holder.execute("begin exclusive")
    with pytest.raises(JournalError, match=r"held by another process.*\[journal-held\]"):
        send()
    with pytest.raises(JournalError, match=r"\[journal-held\]"):
        list_set_aside(store.published)
    holder.close()
    path.unlink()
    path.mkdir()
    with pytest.raises(JournalError, match=r"\[journal-unwritable\]"):
        send()
    path.rmdir()
    assert send().sent == 3


def test_a_journal_of_an_older_version_goes_on(alerting, store, receiver):
    path = journal_path(store.published)
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as connection:
        connection.execute("create table begun (at text not null)")
        connection.execute("insert into begun values (?)", [utc_now().isoformat()])
        connection.execute("create table told (key text, channel text, at text not null, primary key (key, channel))")
        connection.execute("insert into told values ('test/0', 'webhook', ?)", [utc_now().isoformat()])
    connection.close()
    assert list_set_aside(store.published) == []
    assert send().sent == 2


def test_two_that_deliver_at_once_deliver_each_message_once(alerting, receiver):
    send([])
    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(json.loads(body)["key"] for _, _, body in receiver.got) == [alert.key for alert in ALERTS]
