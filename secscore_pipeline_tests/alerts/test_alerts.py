"""Alerts: what is told, over real HTTP to a local receiver with faults, and each thing once."""

import hashlib
import hmac
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from secscore_pipeline.alerts.alert import Alert
from secscore_pipeline.alerts.channels import Slack, Teams
from secscore_pipeline.alerts.events import NAMED, check_credential
from secscore_pipeline.alerts.journal import open_journal
from secscore_pipeline.alerts.notify import LATE, send_new_alerts
from secscore_pipeline.clock import utc_now
from secscore_pipeline.config.feeds import read_feeds
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.settings import read_alert_settings
from secscore_pipeline.definitions import defs
from secscore_pipeline.defs.sensors import build_alert_sensors
from secscore_pipeline.emulator.world import Counts, State, World
from secscore_pipeline_tests.conftest import ON_LAKE, secscore

MFA = "34a42fb3-e6db-409c-b56b-7b1db6b8aee0"


@pytest.fixture
def world(local_azure, store, receiver, monkeypatch):
    """Return a world that was looked at once, with a webhook that was asked for news once."""
    world = World(subscriptions=3)
    for subscription in world.subscriptions.values():
        subscription.counts = dict.fromkeys(subscription.counts, Counts(9, 0, 0))
    store.use(
        local_azure(world), SECSCORE_ALERT_WEBHOOK=f"{receiver.url}/hook", SECSCORE_ALERT_WEBHOOK_SECRET="mark",
        SECSCORE_BRIEFING="off",
    )  # fmt: skip
    store.sync()
    assert deliver() == (0, {})
    return world


def deliver(clock=utc_now):
    """Return how many messages were delivered, and why a channel did not take one."""
    return tuple(send_new_alerts(read_feeds(), clock))[:2]


def lose(world, controls=(MFA,)):
    for subscription in world.subscriptions.values():
        for control in controls:
            subscription.counts[control] = Counts(0, 9, 0)


@pytest.mark.slow
def test_a_drop_and_a_failed_control_are_told_once_with_the_run_and_what_to_do(world, store, receiver):
    lose(world)
    run_id = store.sync().run_id
    assert deliver() == (2, {})
    assert deliver() == (0, {})
    assert [alert["kind"] for alert in receiver.alerts] == ["score_dropped", "control_failed"]
    for alert in receiver.alerts:
        assert alert["title"].startswith("3 ")
        assert len(alert["lines"]) == 3
        assert alert["advice"]
        assert alert["url"] == f"http://127.0.0.1:3000/runs/{run_id}"
    assert "Enable MFA in " in receiver.alerts[1]["lines"][0]
    assert "9 unhealthy" in receiver.alerts[1]["lines"][0]
    _, headers, body = receiver.got[0]
    assert headers["X-Secscore-Signature"] == f"sha256={hmac.new(b'mark', body, hashlib.sha256).hexdigest()}"
    assert headers["Idempotency-Key"] == f"score_dropped/{run_id}"


@pytest.mark.slow
def test_what_happened_before_alerts_were_asked_for_and_small_drops_are_not_told(world, store, receiver, monkeypatch):
    monkeypatch.setenv("SECSCORE_ALERT_SCORE_DROP", "99.5")
    lose(world)
    store.sync()
    deliver()
    assert [alert["kind"] for alert in receiver.alerts] == ["control_failed"]


@pytest.mark.slow
def test_many_things_of_one_run_are_one_message(world, store, receiver):
    lose(world, tuple(next(iter(world.subscriptions.values())).counts))
    store.sync()
    deliver()
    failed = next(alert for alert in receiver.alerts if alert["kind"] == "control_failed")
    assert len(failed["lines"]) == NAMED + 1
    assert failed["lines"][-1].startswith("and ")


@pytest.mark.slow
def test_lost_coverage_is_told_with_its_resolution(world, store, receiver):
    next(iter(world.subscriptions.values())).state = State.FORBIDDEN
    store.sync()
    deliver()
    (alert,) = receiver.alerts
    assert alert["kind"] == "coverage_lost"
    assert "(forbidden)" in alert["lines"][0]
    assert "az role assignment create" in alert["lines"][0]


@pytest.mark.slow
@pytest.mark.parametrize("faults", [[500, 503], [429], ["drop"]])
def test_a_passing_fault_costs_no_alert_and_repeats_none(world, store, receiver, faults):
    lose(world)
    store.sync()
    receiver.faults = list(faults)
    assert deliver() == (2, {})
    assert len(receiver.alerts) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("faults", "why", "sent"),
    [([500] * 4, "answered 500", 0), ([404], "answered 404", 1), ([302], "answered 302", 1)],
)
def test_what_was_not_taken_is_told_at_the_next_tick(world, store, receiver, faults, why, sent):
    lose(world)
    store.sync()
    receiver.faults = list(faults)
    delivered, failed = deliver()
    assert delivered == sent  # a message that is refused holds up no other one
    assert why in failed["webhook"]
    assert receiver.url not in failed["webhook"]
    assert deliver() == (2 - sent, {})


@pytest.mark.slow
def test_a_dead_channel_keeps_nobody_else_from_being_told(world, store, receiver, monkeypatch):
    monkeypatch.setenv("SECSCORE_ALERT_TEAMS", "http://127.0.0.1:9/gone")
    lose(world)
    store.sync()
    sent, failed = deliver()
    assert (sent, set(failed)) == (2, {"teams"})
    monkeypatch.setenv("SECSCORE_ALERT_TEAMS", f"{receiver.url}/teams")
    assert deliver() == (2, {})
    assert [path for path, _, _ in receiver.got] == ["/hook", "/hook", "/teams", "/teams"]


@pytest.mark.slow
def test_what_every_channel_was_told_is_not_gathered_again(world, store, receiver, monkeypatch):
    lose(world)
    store.sync()
    receiver.faults = [404]
    deliver()
    with open_journal(store.published, utc_now()) as journal:
        late = LATE if ON_LAKE else timedelta(0)  # others may yet store what they looked at before
        assert journal.settled_until == max(journal.begun, newest_fetch(store) - late)
    assert deliver() == (1, {})
    monkeypatch.setenv("SECSCORE_ALERT_TEAMS", f"{receiver.url}/teams")
    assert deliver() == (2 if ON_LAKE else 0, {})
    lose(world, ("4db8d6cf-075b-4149-a813-da09ca2ae120", "a000c66f-6da2-4f9d-826d-2364347d2588"))
    store.sync()
    sent, failed = deliver()
    assert failed == {}
    assert {path for path, _, _ in receiver.got[-sent:]} == {"/hook", "/teams"}


def newest_fetch(store):
    return store.one("select max(observed_at) from raw.fetches")


@pytest.mark.slow
def test_a_kill_between_two_messages_repeats_none(world, store, receiver):
    lose(world)
    store.sync()
    code = """
import os, signal
from secscore_pipeline.alerts.notify import send_new_alerts
from secscore_pipeline.alerts.journal import Journal
from secscore_pipeline.config.feeds import read_feeds
note = Journal.note_delivery
def note_and_die(*given):
    note(*given)
    os.kill(os.getpid(), signal.SIGKILL)
Journal.note_delivery = note_and_die
send_new_alerts(read_feeds())
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == -9
    assert len(receiver.alerts) == 1
    assert deliver() == (1, {})
    assert len({alert["key"] for alert in receiver.alerts}) == len(receiver.alerts) == 2


EVIL = Alert("k", "test", "<!channel> [x](http://evil) *b*", ("<http://evil|click> & @here",), "do")


def test_slack_and_teams_are_told_text_and_no_markup_of_others(receiver):
    Slack("xoxb-mark", "#alerts", f"{receiver.url}/api/").send(EVIL, "http://ui/runs/1", 10)
    Teams(f"{receiver.url}/teams").send(EVIL, "http://ui/runs/1", 10)
    (path, headers, slack), (_, _, teams) = receiver.got
    assert path == "/api/chat.postMessage"
    assert headers["Authorization"] == "Bearer xoxb-mark"
    text = json.loads(slack)["text"] if slack.startswith(b"{") else slack.decode()
    assert "<!channel>" not in text
    assert "<http://evil" not in text
    card = json.loads(teams)["attachments"][0]["content"]
    assert card["type"] == "AdaptiveCard"
    texts = [block["text"] for block in card["body"]]
    assert not [line for line in texts[:-1] if "](http" in line]
    assert texts[-1] == "[Open it in Dagster](http://ui/runs/1)"


@pytest.mark.slow
def test_the_briefing_comes_once_when_it_is_due_and_late_if_nobody_looked(world, store, receiver, monkeypatch):
    monkeypatch.setenv("SECSCORE_BRIEFING", "0 8 * * 1")
    store.write("update raw.fetches set observed_at = observed_at - interval 1 day")  # a move is from day to day
    lose(world)
    store.sync()
    deliver()
    receiver.got.clear()
    later = datetime.now(UTC) + timedelta(days=8)
    assert deliver(lambda: later) == (2, {})
    assert deliver(lambda: later) == (0, {})
    overdue, alert = receiver.alerts
    assert overdue["kind"] == "sync_overdue"
    assert alert["kind"] == "briefing"
    assert any(line.startswith("Tenant ") and " %" in line for line in alert["lines"])
    assert any(line.startswith("Moved: Enable MFA") for line in alert["lines"])
    assert any(line.startswith("Potential increase: Enable MFA") for line in alert["lines"])


def test_a_credential_is_warned_of_four_times():
    ends = datetime(2027, 1, 31, tzinfo=UTC)
    keys = {
        alert.key.rsplit("/", 1)[1]
        for hours in range(24 * 60, -48, -6)
        if (alert := check_credential("default", ends, ends - timedelta(hours=hours)))
    }
    assert keys == {"30", "14", "7", "1"}
    assert check_credential("default", ends, ends - timedelta(days=31)) is None


@pytest.mark.slow
def test_the_sensors_tell_of_news_and_of_a_failed_run(world, store, receiver):
    lose(world)
    store.sync()
    news, failing = build_alert_sensors(read_feeds())
    assert {sensor.default_status for sensor in (news, failing)} == {dg.DefaultSensorStatus.STOPPED}
    with dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}) as instance:
        with dg.build_sensor_context(instance, definitions=defs) as context:
            assert "2 messages sent" in news.evaluate_tick(context).skip_message
            assert "0 messages sent" in news.evaluate_tick(context).skip_message
        receiver.got.clear()

        @dg.op
        def fails() -> None:
            raise dg.Failure("Nothing could be read. Do this. [forbidden]")

        @dg.job(tags={"secscore/feed": "north"})
        def failing_job() -> None:
            fails()

        result = failing_job.execute_in_process(instance=instance, raise_on_error=False)
        event = result.get_run_failure_event()
        with dg.build_run_status_sensor_context(
            sensor_name="failed_runs", dagster_instance=instance, dagster_run=result.dagster_run, dagster_event=event
        ) as context:
            for _ in range(2):
                failing(context.for_run_failure())
    (alert,) = receiver.alerts
    assert alert["title"] == "The run of failing_job for the feed north failed"
    assert alert["lines"] == ["Nothing could be read. Do this. [forbidden]"]
    assert alert["url"].endswith(f"/runs/{result.run_id}")


@pytest.mark.slow
def test_the_command_line_tells_and_tries(world, store, receiver, tmp_path):
    env = {**store.settings, "SECSCORE_ALERT_WEBHOOK": f"{receiver.url}/hook"}
    assert "1 messages sent" in secscore("alert", "--test", cwd=tmp_path, env=env).stdout
    assert receiver.alerts[0]["kind"] == "test"
    receiver.faults = [404]
    done = secscore("alert", "--test", cwd=tmp_path, env=env, check=1)
    assert "webhook: The webhook answered 404" in done.stderr
    done = secscore("alert", cwd=tmp_path, env=store.settings, check=2)
    assert "No channel is set" in done.stderr


def test_an_address_in_clear_or_a_threshold_that_is_none_is_refused_and_not_repeated(monkeypatch):
    monkeypatch.setenv("SECSCORE_ALERT_WEBHOOK", "http://hooks.example.com/mark")
    monkeypatch.setenv("SECSCORE_ALERT_SCORE_DROP", "much")
    with pytest.raises(SettingsError) as raised:
        read_alert_settings()
    assert len(raised.value.problems) == 2
    assert "mark" not in str(raised.value)
