"""`secscore emulator`, and the local Azure that `demo` and `dev` start."""

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from secscore_pipeline.cli import first_steps
from secscore_pipeline.cli.console import console
from secscore_pipeline.cli.settings import IsolatedCommand
from secscore_pipeline.config.env_file import env_text
from secscore_pipeline.config.registry import SETTINGS
from secscore_pipeline.system.environment import changed_environment
from secscore_pipeline.system.files import replace_file

if TYPE_CHECKING:
    from secscore_pipeline.emulator.faults import Fault
    from secscore_pipeline.emulator.limits import Limit
    from secscore_pipeline.emulator.server import LocalAzure

_MAX_LISTED = 3_000
"""How many subscription IDs fit into one environment variable, which Linux limits to 128 kB."""

_ENV_FILE_MARK = "# Settings of a local Azure, by secscore emulator, which removes this file when it ends.\n"

subscriptions_option = click.option(
    "--subscriptions",
    default=8,
    show_default=True,
    type=click.IntRange(1, 50_000),
    help="Number of subscriptions at first.",
)
"""How large the simulated tenant is."""


def _parse_limit(_context: click.Context, _option: click.Parameter, given: str | None) -> "Limit | None":
    from secscore_pipeline.emulator.limits import Limit

    if not given:
        return None
    found = re.fullmatch(r"(\d+):(\d+)(:shared)?", given)
    if not found or not all(map(int, found.groups()[:2])):
        raise click.BadParameter(f"{given!r} is no limit. Write 250:25 or 250:25:shared.")
    return Limit(int(found[1]), int(found[2]), is_shared=bool(found[3]), clock=time.monotonic)


def _parse_faults(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> "list[Fault]":
    from secscore_pipeline.emulator.faults import Fault

    try:
        return [Fault.parse(text) for text in given]
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command(cls=IsolatedCommand)
@subscriptions_option
@click.option("--seed", default=1, show_default=True, help="Seed of the simulated data.")
@click.option("--mixed/--normal", default=True, show_default=True, help="Some without a score, some forbidden.")
@click.option(
    "--custom-controls",
    default=0,
    show_default=True,
    type=click.IntRange(0, 1000),
    help="Number of custom controls beside Microsoft's 15. They give no points.",
)
@click.option(
    "--customers",
    default=0,
    show_default=True,
    type=click.IntRange(0, 100),
    help="Number of customer tenants that each delegate two subscriptions through Azure Lighthouse.",
)
@click.option(
    "--assessments",
    type=click.IntRange(1, 100_000),
    help="Number of assessments of each subscription at first, about. Default: by the seed.",
)
@click.option(
    "--changing",
    type=click.FloatRange(0, 0.06),
    metavar="SHARE",
    help="Share of the assessments that change each day, about; 0 to 0.06. Default: about 0.008.",
)
@click.option(
    "--shared-keys",
    default=0,
    show_default=True,
    type=click.IntRange(0, 3),
    help="Number of recommendations that count in two controls.",
)
@click.option(
    "--drift",
    default=0,
    show_default=True,
    type=click.IntRange(0, 30),
    metavar="DAYS",
    help="Days by which scores and controls are behind the assessments. 0: their counts agree.",
)
@click.option("--port", default=0, help="0: the system chooses.", show_default=True, type=click.IntRange(0, 65535))
@click.option("--latency", default=0.0, help="Seconds before each answer of ARM.", show_default=True)
@click.option(
    "--limit",
    metavar="TOKENS:REFILL[:shared]",
    callback=_parse_limit,
    help="Rate limit of each identity and subscription: size of the token bucket, and tokens added each second (Azure "
    "documents 250:25); shared: one bucket for all subscriptions.",
)
@click.option(
    "--page-size",
    type=click.IntRange(min=1),
    help="Items on a page of each list. Azure's page size is not documented. Default: all on one page.",
)
@click.option(
    "--date",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Simulate history up to this date. Default: no history.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[:NAME=VALUE,...]",
    callback=_parse_faults,
    help="Inject a fault: status, reset, handshake, stall, cut, echo, gzip, slow, or a page of a list: empty (no "
    "items, and a nextLink to the same page), repeat (a nextLink to itself), trail (the last page links to an empty "
    "one); with path (a regular expression; the subscription ID is part of it), share (0 to 1), times, position (bytes "
    "of the body that are still sent), seconds (for slow), status, retry_after, body, seed. Example: "
    "status:status=429,retry_after=1,share=0.05 or empty:path=assessments,times=3. Repeatable.",
)
@click.option(
    "--bodies",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Serve <subscription id>/secureScores.json, secureScoreControls.json, assessments.json and "
    "assessmentMetadata.json of this folder verbatim.",
)
@click.option(
    "--env-file",
    type=click.Path(dir_okay=False, path_type=Path),
    default="data/emulator.env",
    show_default=True,
    help="Write the settings for clients to this file, which holds the secret and is readable only by you.",
)
def emulator(
    subscriptions: int,
    seed: int,
    mixed: bool,
    custom_controls: int,
    customers: int,
    assessments: int | None,
    changing: float | None,
    shared_keys: int,
    drift: int,
    port: int,
    latency: float,
    limit: "Limit | None",
    page_size: int | None,
    date: datetime | None,
    faults: "list[Fault]",
    bodies: Path | None,
    env_file: Path,
) -> None:
    """Serve a local Azure until Ctrl-C.

    It simulates a tenant: Entra ID and Azure Resource Manager, over TLS. The settings that clients need are written to
    a file.
    """
    from secscore_pipeline.emulator.server import LocalAzure
    from secscore_pipeline.emulator.world import World

    world = World(
        seed,
        subscriptions,
        mixed=mixed and subscriptions > 3,
        custom_controls=custom_controls,
        assessments=assessments,
        changing=changing,
        shared_keys=shared_keys,
        drift=drift,
    )
    for _ in range(customers):
        world.add_customer(2)
    if date is not None:
        world.simulate_until(date.date())
    with LocalAzure(world, latency=latency, page_size=page_size, port=port, limit=limit) as azure:
        azure.faults.extend(faults)
        if bodies:
            _serve_verbatim(azure, bodies)
        with _write_env_file(env_file, azure):
            console.print(f"Local Azure at {azure.url}, {len(world.subscriptions)} subscriptions (simulated).")
            usage = f"Settings: {env_file}   (use: set -a; . {env_file}; set +a)   Ctrl-C ends it."
            console.print(usage, soft_wrap=True)
            threading.Event().wait()  # until a signal


def _serve_verbatim(azure: "LocalAzure", bodies: Path) -> None:
    """Serve the files of a folder as answers, adding subscriptions that the tenant lacks."""
    for folder in sorted(bodies.iterdir()):
        if folder.name.lower() not in azure.world.subscriptions:
            azure.world.add_subscription(folder.name)
        for file in folder.glob("*.json"):
            azure.arm.verbatim[folder.name.lower(), file.stem] = file.read_bytes()


@contextmanager
def _write_env_file(path: Path, azure: "LocalAzure") -> Iterator[None]:
    """Write the settings that lead to a local Azure to a file, and remove it at the end."""
    scope = ["*"] if len(azure.world.subscriptions) > _MAX_LISTED else []
    text = _ENV_FILE_MARK + env_text(azure.settings(*scope))
    replace_file(path, text, [_ENV_FILE_MARK])
    try:
        yield
    finally:
        with suppress(OSError):  # it is gone, or somebody has put a folder there: nothing of ours is left
            if path.read_text(encoding="utf-8") == text:
                path.unlink()


@contextmanager
def start_local_azure(subscriptions: int) -> Iterator["LocalAzure"]:
    """Start a local Azure in this process, and replace all settings by those that lead to it for a block."""
    from secscore_pipeline.emulator.server import LocalAzure
    from secscore_pipeline.emulator.world import World

    with LocalAzure(World(subscriptions=subscriptions, mixed=subscriptions > 3)) as azure:
        settings = {
            **azure.settings(),
            "SECSCORE_DATABASE": os.environ.get("SECSCORE_DATABASE") or first_steps.DEMO_DATABASE,
            "SECSCORE_REPORT": os.environ.get("SECSCORE_REPORT") or first_steps.DEMO_REPORT,
            "SECSCORE_FEEDS": os.devnull,  # feeds.yaml of the working directory leads elsewhere
        }
        with changed_environment(settings, unset=(setting.name for setting in SETTINGS)):
            yield azure
