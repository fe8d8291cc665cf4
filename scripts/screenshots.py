"""The pictures in the documents: `python -m scripts.screenshots` takes them of the real thing anew."""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from secscore_pipeline_tests.support.browsing import (
    ROOT,
    browser,
    launch_sync,
    new_page,
    open_check,
    open_graph,
    open_materialization,
    running_ui,
    try_connection,
)
from testbed.waiting import awaited

IMAGES = ROOT / "docs" / "images"
DAYS = 60
ARE_GREEN = """nodes => {
    const isGreen = (element) => {
        const [red, green, blue] = getComputedStyle(element).borderTopColor.match(/\\d+/g).map(Number);
        return green > red + 60 && green > blue + 40;
    };
    return [...document.querySelectorAll("foreignObject *")].filter(isGreen).length >= nodes;
}"""
"""Whether the graph says of every asset that it was made: the colours, and the lines, come after the nodes."""

LARGEST = 150_000
"""How many bytes a picture may have; a repository keeps each of them for good."""


def take(page: Page, name: str) -> None:
    """Write what a page shows to docs/images."""
    page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")


def take_all(chromium: Browser, url: str, report: Path) -> None:
    """Take every picture: of the UI after a run of the job, and of the report that it wrote."""
    page = new_page(chromium, viewport={"width": 1280, "height": 800})
    launch_sync(page, url)
    nodes = open_graph(page, url).count()
    page.wait_for_function(ARE_GREEN, arg=nodes)
    take(page, "graph")
    open_materialization(page, url, "ocsf/assessment_findings")
    expect(page.get_by_role("columnheader", name="percent")).to_be_visible()
    take(page, "scores")
    open_materialization(page, url, "posture/report")
    page.get_by_role("img", name="The score by day").scroll_into_view_if_needed()
    take(page, "trend")
    page.set_viewport_size({"width": 1280, "height": 560})  # much text makes a large file
    open_check(page, url, "ocsf/assessment_findings", "snapshot_is_whole")
    expect(page.get_by_role("columnheader", name="outcome")).to_be_visible()
    take(page, "check")
    page.set_viewport_size({"width": 1280, "height": 480})
    try_connection(page, url)
    page.get_by_role("button", name="expand_arrows").last.click()  # the log alone
    page.mouse.move(900, 400)
    awaited(lambda: _stayed_at_the_first_step(page), bool)
    take(page, "connection")
    page.close()
    for name, look, width in (("light", "light", 1280), ("dark", "dark", 1280), ("narrow", "light", 390)):
        page = new_page(chromium, viewport={"width": width, "height": 800}, color_scheme=look)
        page.goto(report.as_uri())
        take(page, f"report-{name}")
        page.close()


def _stayed_at_the_first_step(page: Page) -> bool:
    """Say whether a run's log still shows the first step, and scroll back to it: a log goes to its end by itself."""
    shown = page.get_by_text("default: settings").filter(visible=True)
    stayed = shown.count() > 0 and (shown.bounding_box() or {"y": -1})["y"] > 0
    page.mouse.wheel(0, -100_000)
    return stayed


def main() -> None:
    """Start the demo and the UI in a folder whose name may be seen, and take every picture."""
    IMAGES.mkdir(exist_ok=True)
    folder = Path(tempfile.gettempdir()) / "secscore"
    folder.mkdir()
    try:
        with running_ui(folder, DAYS) as running, browser() as chromium:
            take_all(chromium, running.url, running.report)
    finally:
        shutil.rmtree(folder)
    for picture in sorted(IMAGES.iterdir()):
        if picture.stat().st_size > LARGEST:
            raise SystemExit(f"{picture} has {picture.stat().st_size:,} bytes, of at most {LARGEST:,}.")


if __name__ == "__main__":
    main()
