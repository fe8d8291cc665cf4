"""Dagster's UI and the report in a real browser: what the browser tests and the screenshots share."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import requests
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from secscore_pipeline.definitions import defs
from secscore_pipeline_tests.conftest import secscore
from testbed.needs import use_need
from testbed.waiting import DEADLINE, awaited, free_port

ROOT = Path(__file__).resolve().parents[2]
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
GROUPS = ("raw", "ocsf", "posture", "exports")
_IS_GROUP = re.compile(rf"^\s*({'|'.join(GROUPS)})\s*$")

PATIENCE = 1000 * DEADLINE  # milliseconds
expect.set_options(timeout=PATIENCE)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start the browser that the machine has; it ends with the block."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=use_need("chromium"), args=QUIET)
        try:
            yield started
        finally:
            started.close()


def new_page(browser: Browser, **options: Any) -> Page:
    """Open a page, in a context of its own that ends with it, which waits as long for everything as a test does."""
    page = browser.new_page(**options)
    page.set_default_timeout(PATIENCE)
    return page


class Running(NamedTuple):
    """A running UI: its address, and the report that its runs write."""

    url: str
    report: Path


@contextmanager
def running_ui(folder: Path, days: int) -> Iterator[Running]:
    """Start what `make demo` and `make dev` start, in a folder of its own.

    The local Azure's world has a forbidden subscription and one without a score, and the store `days` of a past.
    """
    home = folder / "dagster"
    home.mkdir()
    shutil.copy(ROOT / "dagster.yaml", home)
    environment = {"DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "1"}
    secscore("demo", "--days", str(days), cwd=folder, env=environment)
    url = f"http://127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [sys.executable, "-m", "secscore_pipeline.cli", "dev", "--port", url.rpartition(":")[2]],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        awaited(lambda: _is_answered(url), bool)
        yield Running(url, folder / "data" / "demo-report.html")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=DEADLINE)


def _is_answered(url: str) -> bool:
    try:
        return requests.get(f"{url}/server_info", timeout=DEADLINE).ok
    except requests.ConnectionError:
        return False


def launch_sync(page: Page, url: str) -> None:
    """Run the job `sync` by clicking, with what its launchpad proposes, and wait until it is done."""
    page.goto(f"{url}/jobs")
    _job(page, "sync").click()
    page.get_by_role("button", name="Materialize all").locator("xpath=following::button[1]").click()
    page.get_by_role("menuitem", name="Open launchpad").click()
    launchpad = page.get_by_role("dialog")
    expect(launchpad.get_by_text("No errors")).to_be_visible()
    launchpad.get_by_role("button", name="Materialize", exact=False).click()
    page.wait_for_url("**/runs/*")
    expect(page.get_by_text("RUN_SUCCESS")).to_be_visible()


def _job(page: Page, name: str) -> Locator:
    # The link's name ends with that of an icon as soon as the job's description has come.
    return page.get_by_role("link", name=re.compile(rf"^job {name}\b"))


def try_connection(page: Page, url: str) -> None:
    """Run the job `test_connection` by clicking, and show its steps once it has ended."""
    page.goto(f"{url}/jobs")
    _job(page, "test_connection").click()
    page.get_by_role("tab", name="Launchpad").click()
    page.get_by_role("button", name="Launch Run").click()
    page.wait_for_url("**/runs/*")
    expect(page.get_by_text("RUN_FAILURE")).to_be_visible()  # one may not be read
    page.get_by_placeholder("Filter…").fill("default:")
    expect(page.get_by_text("RUN_FAILURE")).to_be_hidden()


def open_graph(page: Page, url: str) -> Locator:
    """Open the asset graph with every group unfolded; return the nodes of the assets."""
    unfolded = ",".join(f"global@global:{group}" for group in GROUPS)
    page.goto(f"{url}/asset-groups?expanded={quote(unfolded)}")
    nodes = page.locator("foreignObject").filter(has_text=re.compile(r"\w")).filter(has_not_text=_IS_GROUP)
    expect(nodes).to_have_count(len(list(defs.resolve_all_asset_specs())))
    return nodes


def show_descriptions(page: Page) -> None:
    """Have the nodes of the asset graph say what each asset is, as the graph's settings offer it."""
    page.get_by_role("button", name="config").click()
    page.get_by_role("dialog").get_by_text("Description", exact=True).click()
    page.get_by_role("button", name="Save").click()


def open_materialization(page: Page, url: str, asset: str) -> None:
    """Open the newest materialization of an asset."""
    page.goto(f"{url}/assets/{asset}?view=events")
    expect(page.get_by_text("Materialized in run")).to_be_visible()


def open_check(page: Page, url: str, asset: str, check: str) -> None:
    """Open what a check said last."""
    page.goto(f"{url}/assets/{asset}?view=checks&checkDetail={check}")
    expect(page.get_by_text("Evaluation result")).to_be_visible()
