"""The report's first section: what to do first, out of the recommendations; hostile texts in them stay texts."""

import re
from dataclasses import replace

import pytest

from secscore_pipeline.clock import utc_now
from secscore_pipeline.emulator.world import World
from secscore_pipeline.posture.steps import list_steps
from secscore_pipeline.report.page import read_report

ALL = {"SECSCORE_EVENT_TYPES": "secure_scores,secure_score_controls,assessments"}


@pytest.fixture(scope="module")
def assessed(module_azure, module_store):
    """Return a store of a local Azure whose assessments were read."""
    module_store.use(module_azure(World(subscriptions=4)), **ALL)
    module_store.sync()
    return module_store


def read(store):
    with store.warehouse.get_published() as connection:
        return read_report(connection, utc_now()), list_steps(connection)


def section_of(page):
    return page.partition('aria-labelledby="steps-1"')[2].partition("</section>")[0]


def test_it_stands_after_the_score_and_before_everything_else(assessed):
    page = read(assessed)[0].page()
    names = re.findall(r'<section class="card" aria-labelledby="([a-z]+)-1"', page)
    assert names[:3] == ["score", "steps", "days"]
    assert 'class="main"><dt>Score' in page.partition('aria-labelledby="steps-1"')[0]


def test_each_step_says_gain_effort_impact_severity_owners_and_what_to_do(assessed):
    report, steps = read(assessed)
    section = section_of(report.page())
    items = section.split('<li aria-labelledby="step-1-')[1:]
    assert len(items) == len(steps) == 5
    for item, step in zip(items, steps, strict=True):
        assert f'<span class="rank">{step.rank}</span> <bdi>{step.recommendation}</bdi>' in item
        facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(?:<bdi>)?(.*?)(?:</bdi>)?</dd>", item))
        assert facts == {
            "Gain": f"+{step.gain:.2f} pp",
            "Effort": step.effort or "not stated",
            "User impact": step.user_impact or "not stated",
            "Severity": step.severity or "not stated",
            "Control": step.control,
        }
        assert f"<p>{step.gaining_resources} " in item
        for subscription in step.subscriptions[:5]:
            assert f'<bdi class="name">{subscription.name}</bdi>' in item
            assert f"<bdi>{subscription.owner}</bdi>" in item
        assert item.count("<tr>") == step.unhealthy_resources + 1
        if step.remediation:
            assert re.search(r'<p class="text">(.*?)</p>', item, re.DOTALL)[1].count("\n") == step.remediation.count(
                "\n"
            )
    assert "gain divided by effort (Low 1, Moderate 2, High 3; where Azure does not say, as Moderate)" in section


def test_hostile_texts_stay_texts_and_long_lists_are_counted(assessed):
    report, steps = read(assessed)
    evil = "</script><script>alert(1)</script>\u202e{{ 7 * 7 }}"
    resource = steps[0].resources[0]._replace(name=evil, owner=evil, portal_url='https://x/"onclick="alert(1)')
    step = steps[0]._replace(
        recommendation=evil, control=evil, effort=evil, remediation=f"  1. {evil}\n  2.\tnext", resources=[resource],
        unhealthy_resources=1_500, gaining_resources=1, gain=0.001,
    )  # fmt: skip
    page = replace(report, tenants=[replace(report.tenants[0], steps=[step])]).page()
    assert page.count("<script>") == 1
    assert "\u202e" not in page
    assert "  1. &lt;/script&gt;" in page
    assert "\n  2.\\tnext" in page
    assert 'href="https://x/&#34;onclick=&#34;alert(1)" rel="noreferrer"' in page
    assert "… and 1499 more: <code>from posture.unhealthy_resources where recommendation_id = " in page
    assert "1 of 1500 unhealthy resources gains something now, in " in page
    assert "<dd>&lt; 0.01 pp</dd>" in page


@pytest.mark.slow
def test_without_assessments_nothing_of_it_is_there(local_azure, store):
    store.use(local_azure(World(subscriptions=2)))
    store.sync()
    page = read(store)[0].page()
    names = re.findall(r'<section class="card" aria-labelledby="([a-z]+)-1"', page)
    assert names == ["score", "gaps", "controls", "changes", "subscriptions"]
    assert not re.search("Do this first|A step above|class=.steps", page.partition("<body>")[2])
