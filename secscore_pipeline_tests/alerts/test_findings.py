"""Alerts of single findings and the briefing's steps: what is sent of recommendations, each thing once."""

from datetime import UTC, datetime, timedelta

import pytest

from secscore_pipeline.alerts.briefing import write_briefing
from secscore_pipeline.alerts.notify import send_new_alerts
from secscore_pipeline.config.feeds import read_feeds
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.settings import read_alert_settings
from secscore_pipeline.posture.steps import list_steps
from secscore_pipeline_tests.conftest import of_files
from secscore_pipeline_tests.support.records import (
    make_assessment,
    make_control,
    make_metadata,
    make_score,
    store_records,
)

A, B = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"
START = datetime(2026, 3, 1, 5, tzinfo=UTC)
METADATA = [
    make_metadata("open ports", "Low", severity="High"),
    make_metadata("leaked keys", "Low", severity="Critical"),
    make_metadata("tags", "Low", severity="Low"),
]

pytestmark = of_files  # a lake's newest day is seen again, since others may yet store what they read


class Syncs:
    """A store with a sync a day, and a webhook that is asked for news after each."""

    def __init__(self, store, receiver):
        self.store, self.receiver, self.days = store, receiver, 0

    def sync(self, assessments, days=1):
        """Store what a sync reads, by subscription, some days after the one before; return the alerts of findings."""
        self.days += days
        moment = START + timedelta(days=self.days)
        records = {"assessments": assessments, "assessment_metadata": {A: METADATA}}
        store_records(self.store, f"run-{self.days}", moment, records)
        self.store.warehouse.publish()
        self.receiver.got.clear()
        for _ in range(2):
            send_new_alerts(read_feeds(), lambda: moment + timedelta(hours=1))
        return [alert for alert in self.receiver.alerts if alert["kind"].startswith("findings")]


@pytest.fixture
def syncs(store, receiver, monkeypatch):
    for name, text in {**store.settings, "SECSCORE_ALERT_WEBHOOK": f"{receiver.url}/hook"}.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("SECSCORE_BRIEFING", "off")
    return Syncs(store, receiver)


def unhealthy(subscription, recommendation, *resources, changed=None):
    return [make_assessment(subscription, recommendation, one, changed=changed) for one in resources]


def healthy(subscription, recommendation, *resources):
    return [make_assessment(subscription, recommendation, one, code="Healthy") for one in resources]


def test_new_findings_of_a_sync_are_one_alert_and_the_first_sync_is_none(syncs):
    assert syncs.sync({A: [*unhealthy(A, "open ports", "vm-1"), *healthy(A, "open ports", "vm-2")]}) == []
    now = [
        *unhealthy(A, "open ports", "vm-1", "vm-2", "vm-3", "vm-4", "vm-5"),
        *unhealthy(A, "leaked keys", "vm-1"),
        *unhealthy(A, "tags", "vm-1"),
    ]
    (alert,) = syncs.sync({A: now, B: unhealthy(B, "leaked keys", "vm-9")})
    assert alert["kind"] == "findings_new"
    assert alert["title"] == "5 new findings of high severity"  # vm-2 broke; vm-3 to 5 came; B was never read before
    assert alert["lines"] == [
        f"leaked keys (Critical): 1 resource: vm-1 in {A}",
        f"open ports (High): 4 resources: vm-2 in {A}, vm-3 in {A}, vm-4 in {A} and 1 more",
    ]
    assert alert["run_id"] == "run-2"
    assert alert["key"] == "findings_new/run-2"
    assert syncs.sync({A: now}) == []


def test_a_failed_read_makes_nothing_new(syncs):
    syncs.sync({A: unhealthy(A, "open ports", "vm-1")})
    assert syncs.sync({A: None}) == []
    assert syncs.sync({A: unhealthy(A, "open ports", "vm-1")}) == []
    assert syncs.sync({A: [*unhealthy(A, "open ports", "vm-1"), *unhealthy(A, "tags", "vm-2")]}) == []
    (alert,) = syncs.sync({A: unhealthy(A, "open ports", "vm-1", "vm-2")})
    assert alert["title"] == "1 new finding of high severity"


@pytest.mark.parametrize(("setting", "sent"), [("2", 1), ("3", 0), ("off", 0), ("", 1)])
def test_the_threshold_counts_the_resources_of_a_run_and_can_be_off(syncs, monkeypatch, setting, sent):
    monkeypatch.setenv("SECSCORE_ALERT_NEW_FINDINGS", setting)
    syncs.sync({A: healthy(A, "open ports", "vm-1")})
    now = [*unhealthy(A, "open ports", "vm-1"), *unhealthy(A, "leaked keys", "vm-2")]
    assert len(syncs.sync({A: now})) == sent


def test_a_finding_that_is_open_for_too_long_is_told_once(syncs, monkeypatch):
    monkeypatch.setenv("SECSCORE_ALERT_OVERDUE_DAYS", "30")
    monkeypatch.setenv("SECSCORE_ALERT_NEW_FINDINGS", "off")
    old = unhealthy(A, "open ports", "vm-1", "vm-2", changed=START - timedelta(days=100))
    other = unhealthy(A, "leaked keys", "vm-3", changed=START)
    low = unhealthy(A, "tags", "vm-4", changed=START - timedelta(days=100))
    assert syncs.sync({A: [*old, *other, *low]}) == []  # before alerts were first asked for
    (alert,) = syncs.sync({A: [*old, *other, *low]})
    assert (alert["kind"], alert["title"]) == (
        "findings_overdue",
        "2 findings of high severity are open for more than 30 days",
    )
    assert alert["lines"] == [f"open ports (High): 2 resources: vm-1 in {A} (102 days), vm-2 in {A} (102 days)"]
    assert syncs.sync({A: [*old, *other, *low]}) == []
    assert syncs.sync({A: [*old, *other, *low]}, days=27) == []  # 30 days are not more than 30
    (alert,) = syncs.sync({A: [*old, *other, *low]})
    assert alert["lines"] == [f"leaked keys (Critical): 1 resource: vm-3 in {A} (31 days)"]
    fixed = healthy(A, "leaked keys", "vm-3")
    assert syncs.sync({A: [*old, *fixed]}) == []
    broken_again = unhealthy(A, "leaked keys", "vm-3", changed=START + timedelta(days=syncs.days))
    assert syncs.sync({A: [*old, *broken_again]}) == []
    (alert,) = syncs.sync({A: [*old, *broken_again]}, days=40)
    assert "vm-3" in alert["lines"][0]


def test_settings_that_are_no_numbers_are_refused(monkeypatch):
    monkeypatch.setenv("SECSCORE_ALERT_NEW_FINDINGS", "0")
    monkeypatch.setenv("SECSCORE_ALERT_OVERDUE_DAYS", "off")
    with pytest.raises(SettingsError) as raised:
        read_alert_settings()
    assert len(raised.value.problems) == 2


def test_the_briefing_has_the_steps_of_the_report(store):
    counts = {"access": (10, 5, 5, ("open ports", "leaked keys")), "tags": (4, 2, 2, ("tags",))}
    controls = [make_control(A, name, *numbers) for name, numbers in counts.items()]
    records = {
        "secure_scores": {A: [make_score(A, 7, 14, 3)]},
        "secure_score_controls": {A: controls},
        "assessments": {A: [*unhealthy(A, "open ports", "vm-1", "vm-2"), *unhealthy(A, "tags", "vm-1")]},
        "assessment_metadata": {A: METADATA},
    }
    store_records(store, "run-1", START, records)
    with store.warehouse.get_reader() as connection:
        alert, steps = write_briefing(connection, START), list_steps(connection)
    assert [step.recommendation for step in steps] == ["open ports", "tags"]
    said = [line for line in alert.lines if line.startswith("Do this first")]
    assert said == [
        f"Do this first, 1: open ports (access), +14.29 percentage points, effort Low: 2 resources in {A}",
        f"Do this first, 2: tags (tags), +7.14 percentage points, effort Low: 1 resource in {A}",
    ]
    assert not any(line.startswith("Potential increase") for line in alert.lines)


def test_without_recommendations_the_briefing_names_controls(store):
    records = {
        "secure_scores": {A: [make_score(A, 5, 10, 3)]},
        "secure_score_controls": {A: [make_control(A, "access", 10, 5, 5)]},
    }
    store_records(store, "run-1", START, records)
    with store.warehouse.get_reader() as connection:
        alert = write_briefing(connection, START)
    assert [line for line in alert.lines if ":" in line][1:] == [
        "Potential increase: access, 5.00 points by 5 resources in 1 subscription"
    ]
