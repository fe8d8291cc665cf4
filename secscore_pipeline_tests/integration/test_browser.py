"""Dagster's UI and the report, clicked through in a real browser: what people see, and what a screen reader is told."""

import re
from datetime import timedelta
from itertools import pairwise

import pytest

from secscore_pipeline.azure.event_types import ASSESSMENT_METADATA, SECURE_SCORE_CONTROLS, SECURE_SCORES
from secscore_pipeline.clock import utc_now
from secscore_pipeline.config.registry import EVENT_TYPES
from secscore_pipeline.definitions import defs
from secscore_pipeline.emulator.server import LocalAzure
from secscore_pipeline.emulator.world import State, World
from secscore_pipeline.ingest.connection import AzureConnection
from secscore_pipeline.ingest.listing import PendingListing
from secscore_pipeline.ocsf.mapping import Normalization
from secscore_pipeline.report.page import read_report, write_report
from secscore_pipeline.warehouse.store import normalize
from secscore_pipeline.warehouse.warehouse import Warehouse
from secscore_pipeline_tests.conftest import Store
from secscore_pipeline_tests.support.browsing import (
    browser,
    expect,
    launch_sync,
    new_page,
    open_check,
    open_graph,
    open_materialization,
    running_ui,
    show_descriptions,
    try_connection,
)
from secscore_pipeline_tests.support.fetching import fetch_event_type

pytestmark = pytest.mark.needs("chromium")

WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
LOOKS = [("light", WIDE), ("light", NARROW), ("dark", WIDE), ("dark", NARROW)]
MANY = 1000
SHOWN_WITHIN = 2.0
"""How many seconds of a processor showing a report may take; a clock would count what else the machine does."""

LARGEST = 5_000_000  # bytes

TOO_PALE = """() => {
    const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = (color) => {
        const [r, g, b] = numbers(color).map((part) => part / 255)
            .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = getComputedStyle(at).backgroundColor;
            if ((numbers(color)[3] ?? 1) > 0) return color;
        }
        return "rgb(255, 255, 255)";
    };
    const found = new Set();
    for (const element of document.querySelectorAll("body *:not(script)")) {
        const says = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!says || !element.checkVisibility()) continue;
        const style = getComputedStyle(element);
        const color = element instanceof SVGElement ? style.fill : style.color;
        const [one, other] = [light(color), light(behind(element))];
        const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        if (ratio < 4.5) found.add(`${element.tagName}.${element.className} ${color} ${ratio.toFixed(2)}`);
    }
    return [...found];
}"""


@pytest.fixture(scope="module")
def chromium():
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def ui(tmp_path_factory, chromium):
    """Start the UI on a local Azure of which one subscription may not be read, and run the job `sync` by clicking."""
    with running_ui(tmp_path_factory.mktemp("secscore"), days=2) as running:
        with new_page(chromium, viewport=WIDE) as page:
            launch_sync(page, running.url)
        yield running


@pytest.fixture
def page(chromium):
    with new_page(chromium, viewport=WIDE) as page:
        yield page


def test_the_asset_graph_reads_from_left_to_right_and_says_what_each_asset_is(ui, page):
    nodes = open_graph(page, ui.url)
    lefts = {node.text_content().strip(): node.bounding_box()["x"] for node in nodes.all()}
    way = [lefts[name] for name in ("subscriptions", "secure_scores", "assessme…_findings", "database", "report")]
    assert way == sorted(set(way))
    page.set_viewport_size({"width": 2600, "height": 1600})  # small nodes have no room for more than a name
    open_graph(page, ui.url)
    show_descriptions(page)
    for spec in defs.resolve_all_asset_specs():
        described = spec.description.split("\n")[0]
        expect(nodes.filter(has_text=spec.key.path[-1]).filter(has_text=described)).to_have_count(1)


@pytest.mark.parametrize("look", ["light", "dark"])
def test_a_materialization_shows_the_scores_the_trend_and_plots_of_its_numbers(ui, chromium, look):
    with new_page(chromium, viewport=WIDE, color_scheme=look) as page:
        open_materialization(page, ui.url, "ocsf/assessment_findings")
        scores = page.get_by_role("table").filter(has=page.get_by_role("columnheader", name="percent")).last
        expect(scores.get_by_role("row").nth(8)).to_be_visible()
        worst = page.get_by_role("table").filter(has=page.get_by_role("columnheader", name="severity")).last
        for table in (scores, worst):
            assert table.bounding_box()["x"] + table.bounding_box()["width"] < WIDE["width"]
        expect(page.get_by_text("open_high", exact=True)).to_be_visible()
        open_materialization(page, ui.url, "posture/report")
        expect(page.get_by_role("cell", name="Enable MFA", exact=True)).to_be_visible()
        trend = page.get_by_role("img", name="The score by day")
        expect(trend).to_be_visible()
        expect(trend).to_have_js_property("naturalWidth", 340)
        page.goto(f"{ui.url}/assets/posture/report")
        page.get_by_role("button", name="Plots").click()
        expect(page.get_by_text("score_percent")).to_be_visible()
        expect(page.locator("canvas").first).to_be_visible()


def test_a_check_says_in_words_what_is_wrong(ui, page):
    open_check(page, ui.url, "ocsf/assessment_findings", "snapshot_is_whole")
    expect(page.get_by_text("2 exceptions to: Every subscription could be read")).to_contain_text("answered 403")
    expect(page.get_by_text("2 exceptions to: Every subscription could be read")).to_contain_text("Security Reader")
    assert page.get_by_role("columnheader", name="error").bounding_box()["x"] < WIDE["width"]
    described = page.get_by_text("2 exceptions to: Every subscription could be read").bounding_box()
    assert described["x"] + described["width"] <= WIDE["width"]


def test_the_connection_test_is_started_and_read_there(ui, page):
    try_connection(page, ui.url)
    expect(page.get_by_text("answered 403").first).to_be_visible()
    expect(page.get_by_text("Grant it: az role assignment create").first).to_be_visible()
    expect(page.get_by_text("It has no secure score yet.").first).to_be_visible()


def write_report_of_two_days(folder, world, event_types):
    """Return the report of a local Azure that was read yesterday and today."""
    with pytest.MonkeyPatch.context() as patch, LocalAzure(world) as azure:
        Store(folder / "store" / "secscore.duckdb", patch).use(azure, "*")
        connection = AzureConnection.from_environment()
        warehouse = Warehouse.from_environment()
        for ago in (1, 0):
            then = utc_now() - timedelta(days=ago)
            world.simulate_until(world.today + timedelta(days=1))
            PendingListing(connection, warehouse, f"look-{ago}", "owner", lambda then=then: then).result()
            for event_type in event_types:
                fetch_event_type(connection, warehouse, event_type, f"look-{ago}", lambda then=then: then)
        with warehouse.get_connection() as opened:
            normalize(opened, Normalization().build_mapping())
            write_report(read_report(opened, utc_now()), folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Return the report of a local Azure with 1,000 subscriptions."""
    world = World(subscriptions=MANY - 1)
    world.add_subscription("00000000-0000-0000-0000-000000000001", State.FORBIDDEN)
    return write_report_of_two_days(tmp_path_factory.mktemp("large"), world, (SECURE_SCORES, SECURE_SCORE_CONTROLS))


@pytest.fixture(scope="module")
def assessed(tmp_path_factory):
    """Return the report of a local Azure whose recommendations were read too."""
    world = World(subscriptions=6, mixed=True)
    event_types = (*EVENT_TYPES.values(), ASSESSMENT_METADATA)
    return write_report_of_two_days(tmp_path_factory.mktemp("assessed"), world, event_types)


def unfold_all(page):
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")


class Opened:
    """A report in a page, with everything that it asked for and complained of."""

    def __init__(self, page, path):
        self.asked, self.complaints = [], []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(path.as_uri())


@pytest.mark.parametrize(("look", "size"), LOOKS)
def test_the_report_is_readable_light_and_dark_wide_and_narrow(ui, chromium, look, size):
    with new_page(chromium, viewport=size, color_scheme=look) as page:
        opened = Opened(page, ui.report)
        assert (opened.asked, opened.complaints) == ([ui.report.as_uri()], [])
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        unfold_all(page)
        assert page.evaluate(TOO_PALE) == []
        is_dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 20, 27)"
        assert is_dark is (look == "dark")
        trend = page.locator(".trend")
        assert trend.evaluate("it => it.scrollLeft + it.clientWidth >= it.scrollWidth - 1")


@pytest.mark.parametrize("width", [360, 500])
def test_captions_are_readable_on_a_narrow_screen_and_bars_have_one_colour(ui, chromium, width):
    with new_page(chromium, viewport={"width": width, "height": 800}) as page:
        page.goto(ui.report.as_uri())
        unfold_all(page)
        captions = page.locator("figcaption, caption span").evaluate_all(
            "all => all.map((one) => one.getBoundingClientRect()).map((box) => [box.left, box.right, box.width])"
        )
        steps = 5  # each has a table of resources
        assert len(captions) == 6 + steps
        assert [box for box in captions if box[0] < 0 or box[1] > width or box[2] < 100] == []
        bars = page.locator(".bar rect:last-child")
        colours = bars.evaluate_all("all => [...new Set(all.map((one) => getComputedStyle(one).fill))]")
        assert colours == ["rgb(37, 99, 235)"]


OUTSIDE = """width => [...document.querySelectorAll("td.n")]
    .filter((cell) => cell.checkVisibility() && cell.textContent.trim())
    .map((cell) => {
        const text = document.createRange();
        text.selectNodeContents(cell);
        const [box, words] = [cell.getBoundingClientRect(), text.getBoundingClientRect()];
        return [cell.textContent.trim(), Math.min(box.left, words.left), Math.max(box.right, words.right)];
    })
    .filter(([, left, right]) => left < 0 || right > width)"""
"""The number cells that lie, with their text, outside a viewport of that width."""


def open_unfolded(page, path):
    page.goto(path.as_uri())
    unfold_all(page)


@pytest.mark.parametrize("width", [360, 390])
@pytest.mark.parametrize("report", ["assessed", "large"])
def test_every_number_of_a_table_is_seen_on_a_telephone_without_scrolling_sideways(chromium, request, report, width):
    path = request.getfixturevalue(report)
    with new_page(chromium, viewport={"width": width, "height": 844}) as page:
        open_unfolded(page, path)
        assert page.locator("td.n:visible").count() > 50
        assert page.evaluate(OUTSIDE, width) == []
        assert page.locator(".scroll").evaluate_all("all => all.filter((it) => it.scrollWidth > it.clientWidth)") == []
        labels = page.locator("td.n:visible").evaluate_all(
            "cells => [...new Set(cells.map((cell) => getComputedStyle(cell, '::before').content))]"
        )
        assert "none" not in labels
        heads = page.locator("table th.n").evaluate_all('all => all.map((one) => `"${one.textContent}"`)')
        assert set(labels) <= set(heads)


@pytest.mark.parametrize("look", ["light", "dark"])
def test_the_score_is_the_first_and_largest_thing_that_a_telephone_shows(assessed, chromium, look):
    with new_page(chromium, viewport=NARROW, color_scheme=look) as page:
        page.goto(assessed.as_uri())
        score = page.locator(".numbers .main dd").first
        box = score.bounding_box()
        assert box["y"] + box["height"] < NARROW["height"] / 3
        sizes = page.locator("body *:visible").evaluate_all(
            "all => all.filter((it) => it.textContent.trim()).map((it) => parseFloat(getComputedStyle(it).fontSize))"
        )
        assert max(sizes) == score.evaluate("it => parseFloat(getComputedStyle(it).fontSize)")
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
        open_unfolded(page, assessed)
        assert page.evaluate(TOO_PALE) == []


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_the_steps_come_next_and_unfold_to_their_resources(assessed, chromium, size):
    with new_page(chromium, viewport=size) as page:
        page.goto(assessed.as_uri())
        headings = page.get_by_role("heading", level=2)
        assert headings.all_inner_texts()[:3] == ["Score of the tenant", "Do this first", "Trend"]
        steps = page.get_by_role("region", name="Do this first").get_by_role("listitem")
        expect(steps).to_have_count(5)
        for step in steps.all():
            expect(step.get_by_role("heading", level=3)).to_be_visible()
            expect(step.get_by_text("pp", exact=False).first).to_be_visible()
            table = step.get_by_role("table")
            expect(table).to_be_hidden()
            step.locator("summary").click()
            expect(table).to_be_visible()
            assert table.locator("tbody tr").count() >= 1
            assert table.bounding_box()["width"] <= size["width"]


def test_the_report_tells_a_screen_reader_what_it_shows(ui, page):
    page.goto(ui.report.as_uri())
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.locator("summary", has_text="The trend as a table").click()
    levels = page.get_by_role("heading").evaluate_all("all => all.map((one) => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for name in ("Gaps", "Controls", "Subscriptions", "Path"):
        table = page.get_by_role("region", name=name, exact=True).get_by_role("table")
        assert table.locator("caption").inner_text()
        assert table.get_by_role("columnheader").count() == table.locator("th[scope=col]").count() > 3
    pictures = page.get_by_role("main").get_by_role("img")
    assert [bool(picture.get_attribute("aria-label")) for picture in pictures.all()] == [True, True]
    expect(page.get_by_role("main")).to_match_aria_snapshot("""
        - region "Score of the tenant":
          - heading "Score of the tenant" [level=2]
        - region "Do this first":
          - heading "Do this first" [level=2]
          - list
        - region "Trend":
          - heading "Trend" [level=2]
          - figure /Score in percent by day/:
            - group "The score by day":
              - img /The score by day, from .* % on .* to .* % on .*/
        - region "What is missing"
        - region "Potential increase by control"
        - region "What changed this week"
        - region "Subscriptions":
          - searchbox "Filter by name, id, owner, group or outcome"
    """)


def test_a_thousand_subscriptions_stay_usable(large, page):
    assert large.stat().st_size < LARGEST
    watching = page.context.new_cdp_session(page)
    watching.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(large.as_uri())
    page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
    measured = {one["name"]: one["value"] for one in watching.send("Performance.getMetrics")["metrics"]}
    assert 0 < measured["TaskDuration"] < SHOWN_WITHIN
    table = page.get_by_role("region", name="Subscriptions", exact=True).get_by_role("table")
    scores = "rows => rows.map((row) => parseFloat(row.cells[1].dataset.v)).filter((score) => !isNaN(score))"
    body = table.locator("tbody tr")
    expect(body).to_have_count(MANY)
    assert (lowest_first := body.evaluate_all(scores)) == sorted(lowest_first)
    head = table.get_by_role("columnheader", name="Score")
    expect(head).to_have_attribute("aria-sort", "ascending")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    assert body.evaluate_all(scores) == lowest_first[::-1]
    expect(body.last).to_contain_text("no score")
    named = table.get_by_role("columnheader", name="Subscription")
    named.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(named).to_have_attribute("aria-sort", "ascending")
    expect(head).not_to_have_attribute("aria-sort", re.compile("."))
    names = body.evaluate_all("rows => rows.map((row) => row.cells[0].textContent.trim().toLowerCase())")
    assert page.evaluate("names => [...names].sort((a, b) => a.localeCompare(b))", names) == names
    page.get_by_role("searchbox").fill("forbidden")
    expect(page.get_by_role("status")).to_have_text(f"1 of {MANY} shown")
    expect(page.get_by_role("status")).to_have_attribute("aria-live", "polite")
    expect(table.get_by_role("row")).to_have_count(2)


def test_a_print_has_every_row_and_no_controls(large, page):
    page.goto(large.as_uri())
    page.get_by_role("searchbox").fill("forbidden")
    document = page.pdf(format="A4")
    assert document.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", document)) > MANY / 60
    page.emulate_media(media="print")
    expect(page.get_by_role("searchbox")).to_be_hidden()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_hidden()
    rows = page.get_by_role("region", name="Subscriptions", exact=True).locator("tbody tr")
    assert rows.evaluate_all("all => all.filter((row) => row.checkVisibility()).length") == MANY
    assert page.locator("details:not([open])").count() == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
