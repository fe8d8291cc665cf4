"""What the command line says of recommendations, where they are read, and that it says nothing where they are not."""

import json
import re

import pytest

from secscore_pipeline.emulator.world import World
from secscore_pipeline.posture.steps import list_steps
from secscore_pipeline_tests.conftest import secscore

ALL = {"SECSCORE_EVENT_TYPES": "secure_scores,secure_score_controls,assessments"}


@pytest.fixture
def settings(local_azure, store):
    """Return the settings of a local Azure and of a store of its own, as the environment of a process."""
    azure = local_azure(World(subscriptions=2))
    return {**azure.settings(), **store.settings}


def test_a_sync_prints_the_first_step_and_status_the_open_findings(settings, store, tmp_path):
    done = secscore("sync", cwd=tmp_path, env={**settings, **ALL})
    with store.warehouse.get_published() as connection:
        (step,) = list_steps(connection, most=1)
    line = next(line for line in done.stdout.splitlines() if line.startswith("Do this first: "))
    assert line.startswith(f"Do this first: {step.recommendation} ({step.gaining_resources} resource")
    assert f"{step.gain:+.2f} percentage points, effort {step.effort or 'not stated'}." in line
    counted = dict(store.query("select severity, count(*) from posture.unhealthy_resources group by all"))
    shown = secscore("status", cwd=tmp_path, env={**settings, **ALL}).stdout
    found = re.search(
        r"^Open findings: (\d+) critical, (\d+) high; the oldest is (\d+) days? old$", shown, re.MULTILINE
    )
    assert (int(found[1]), int(found[2])) == (counted.get("Critical", 0), counted["High"])
    oldest = store.one("select max(days) from posture.unhealthy_resources where severity in ('High', 'Critical')")
    assert int(found[3]) == oldest
    (row,) = json.loads(secscore("status", "--json", cwd=tmp_path, env={**settings, **ALL}).stdout)["open_findings"]
    assert sum(number for name, number in row.items() if name.startswith("open_")) == sum(counted.values())


def test_without_assessments_nothing_is_said_of_them(settings, tmp_path):
    done = secscore("sync", cwd=tmp_path, env=settings)
    assert "Do this first" not in done.stdout
    assert "Open findings" not in secscore("status", cwd=tmp_path, env=settings).stdout


@pytest.mark.slow
def test_the_demo_prints_the_first_step_and_its_report_has_them(tmp_path):
    done = secscore("demo", "--days", "1", "--subscriptions", "2", cwd=tmp_path)
    assert re.search(r"^Do this first: .* percentage points, effort ", done.stdout, re.MULTILINE)
    assert "Do this first</h2>" in (tmp_path / "data" / "demo-report.html").read_text()
