"""The report: what it says, that it asks for nothing, and that hostile names stay names."""

import base64
import hashlib
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from secscore_pipeline.azure.errors import Outcome
from secscore_pipeline.clock import utc_now
from secscore_pipeline.defs.assets.report import REPORT
from secscore_pipeline.emulator.world import Counts, State, World
from secscore_pipeline.ingest.scope import Reason
from secscore_pipeline.report.page import read_report, write_report
from secscore_pipeline.system.files import FileError
from secscore_pipeline_tests.conftest import secscore

MFA = "34a42fb3-e6db-409c-b56b-7b1db6b8aee0"


@pytest.fixture(scope="module")
def two_days(module_azure, module_store):
    """Return a world that was looked at yesterday, and today when MFA had been lost; one subscription is forbidden."""
    world = World(subscriptions=3)
    world.add_subscription("00000000-0000-0000-0000-000000000001", State.FORBIDDEN)
    world.add_subscription("00000000-0000-0000-0000-000000000002", State.UNSCORED)
    module_store.use(module_azure(world), *world.subscriptions)
    module_store.sync()
    module_store.write("update raw.fetches set observed_at = observed_at - interval 1 day")
    for subscription in world.subscriptions.values():
        if MFA in subscription.counts:
            subscription.counts[MFA] = Counts(0, 30, 0)
    module_store.sync()
    return world


def page_of(store):
    with store.warehouse.get_published() as connection:
        return read_report(connection, utc_now()).page()


@pytest.mark.slow
def test_it_says_the_score_what_moved_it_what_is_to_win_and_what_is_missing(two_days, module_store):
    page = page_of(module_store)
    ((percentage,),) = module_store.query(
        "select percentage from posture.tenant_score where lower(score) = 'ascscore' order by day desc limit 1"
    )
    assert f"<dd>{100 * percentage:.2f} %</dd>" in page
    events = re.search(r'<ol class="events">(.*?)</ol>', page, re.DOTALL)
    assert events is not None
    assert "most by Enable MFA" in events[1]
    ((control, points),) = module_store.query(
        "select control, sum(potential_increase) from posture.opportunities group by all order by 2 desc limit 1"
    )
    assert f">{control}</bdi></td>" in page
    assert f">{points:.2f}</td>" in page
    assert (
        "3 of 5 subscriptions read; 1 has no score; 1 not read. A subscription without a score is not counted" in page
    )
    assert "Simulated data of a local Azure" in page


def test_it_explains_its_figures_in_words(two_days, module_store):
    page = page_of(module_store)
    ((ratio,),) = module_store.query(
        "select points / points_max from posture.tenant_score where score = 'ascScore' order by day desc limit 1"
    )
    assert f"All points divided by all maximum points ({100 * ratio:.2f} %) is another figure." in page
    forbidden = next(one.name for one in two_days.subscriptions.values() if one.state is State.FORBIDDEN)
    days = module_store.one(
        "select current_date - internal.day_of(min(since)) + 1 from posture.coverage where subscription_name = ?",
        forbidden,
    )
    gaps, changes, subscriptions = re.findall(
        r'<section class="card" aria-labelledby="(?:gaps|changes|subscriptions)-1">(.*?)</section>', page, re.DOTALL
    )
    assert f"never read in {days} day" in gaps
    assert "Forbidden (403 AuthorizationFailed). Grant it: az role assignment create" in gaps
    assert not re.search(r"GET /|answered 403", page)
    controls = page.partition('aria-labelledby="controls-1"')[2].partition("</section>")[0]
    assert set(re.findall(r"<dt>(.*?)</dt>", controls)) == {"Potential increase, points", "Worth to the score"}
    assert '<td data-l="Last read">no score yet</td>' in subscriptions
    assert not re.search("|".join(code for code in Outcome if "_" in code), page)
    heads = re.findall(r"<th[^>]*>(.*?)</th>", changes)
    explained = re.findall(r"<dt>(.*?)</dt><dd>.{20,}</dd>", changes)
    assert explained[:6] == [*heads[1:6], ", ".join(heads[6:8])]
    assert set(explained[6:]) <= {"Subscriptions and their weights"}
    rows = [re.findall(r'data-v="(.*?)"', row) for row in changes.split("<tr>")[2:-1]]
    assert rows
    for points, *causes, _fixed, _broken, _subscriptions in rows:
        if any(causes):  # what no control explains has none
            assert float(points) == pytest.approx(sum(map(float, causes)), abs=1e-6)
    before, after = re.findall(r"from ([\d.]+) % on [\d-]+ to ([\d.]+) % on [\d-]+; the lines add up", changes)[0]
    assert sum(float(points) for points, *_ in rows) == pytest.approx(float(after) - float(before), abs=1e-6)
    lost = next(row for row in rows if row[0].startswith("-"))
    assert (lost[5], int(lost[6]) > 0) == ("0", True)
    assert "Left the scope" not in page


def test_it_names_who_left_the_scope_and_counts_the_rest(two_days, module_store):
    with module_store.warehouse.get_published() as connection:
        made = read_report(connection, utc_now())
    since = utc_now()
    left = [
        {"tenant_id": "t", "subscription_id": f"id-{n}", "name": None if n else "<b>", "reason": reason, "since": since}
        for n, reason in enumerate([*Reason] * 4)
    ]
    (tenant,) = made.tenants
    page = replace(made, tenants=[replace(tenant, left=left)]).page()
    assert len(left) == 24
    assert f'<bdi class="name">&lt;b&gt;</bdi>: deleted, since {since:%Y-%m-%d %H:%M} UTC</li>' in page
    assert page.count(", since ") == 20
    assert "… and 4 more" in page
    assert "not_listed" not in page
    gone = replace(
        tenant, days=[], events=[], steps=[], move=None, subscriptions=[], controls=[], gaps=[], left=left[:1]
    )
    page = replace(made, tenants=[gone]).page()
    assert "Left the scope" in page
    assert "Score of the tenant" not in page


def test_it_asks_for_nothing_and_runs_its_own_style_and_script_only(two_days, module_store):
    page = page_of(module_store)
    assert not re.search(r"""(?:src|href)=["'](?!#)""", page)
    assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest", page)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in policy[1].replace("&#43;", "+")
    assert "default-src 'none'" in policy[1].replace("&#39;", "'")


@pytest.mark.slow
def test_hostile_names_stay_text(local_azure, store):
    store.use(local_azure(World(subscriptions=2)))
    store.sync()
    evil = "</script><script>alert(1)</script>\u202e{{ 7 * 7 }}"
    store.write(f"update internal.subscription_versions set name = '{evil}'")
    store.write("checkpoint")
    with store.warehouse.get_reader() as connection:
        page = read_report(connection, utc_now()).page()
    assert page.count("<script>") == 1
    assert "&lt;script&gt;alert(1)" in page
    assert "\u202e" not in page
    assert "{{ 7 * 7 }}" in page


@pytest.mark.slow
def test_an_empty_database_and_one_day_are_reports_too(local_azure, store, tmp_path):
    world = World(subscriptions=1)
    store.use(local_azure(world))
    store.sync()
    page = page_of(store)
    assert "not known" in page
    with store.warehouse.get_reader() as connection:
        made = read_report(connection, utc_now() + timedelta(days=1))
    assert made.tenants[0].change_since(7) is None
    assert not made.tenants[0].events
    from secscore_pipeline.warehouse.connection import open_for_writing

    with open_for_writing(tmp_path / "empty.duckdb") as connection:
        assert "No subscription has been looked at yet" in read_report(connection, utc_now()).page()


def test_the_asset_writes_it_for_its_owner_and_shows_a_preview(local_azure, store, tmp_path):
    store.use(local_azure(World(subscriptions=2)))
    shown = {event.asset_key: event for event in store.sync(with_report=True).get_asset_materialization_events()}
    metadata = shown[REPORT].materialization.metadata
    path = Path(metadata["path"].value)
    assert metadata["report"].value == path.as_uri()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().startswith("<!doctype html>")
    assert "| control | potential increase | resources to fix |" in metadata["preview"].value
    assert metadata["score_percent"].value == round(
        100 * store.one("select percentage from posture.tenant_score where lower(score) = 'ascscore'"), 2
    )


@pytest.mark.slow
def test_the_command_line_writes_it_and_explains_what_it_cannot_write(two_days, module_store, tmp_path):
    done = secscore("report", "--output", "here/report.html", cwd=tmp_path, env=module_store.settings)
    assert "Report: here/report.html" in done.stdout
    assert (tmp_path / "here" / "report.html").exists()
    (tmp_path / "file").write_text("")
    done = secscore("report", "--output", "file/report.html", cwd=tmp_path, env=module_store.settings, check=1)
    assert "Traceback" not in done.stderr
    assert "cannot be written (File exists)" in done.stderr
    elsewhere = {**module_store.settings, "SECSCORE_DATABASE": str(tmp_path / "none.duckdb")}
    done = secscore("report", cwd=tmp_path, env=elsewhere, check=1)
    assert "[database-absent]" in done.stderr
    with module_store.warehouse.get_published() as connection:
        made = read_report(connection, utc_now())
    with pytest.raises(FileError, match="report-unwritable"):
        write_report(made, tmp_path)
