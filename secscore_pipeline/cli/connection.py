"""`secscore test-connection`, and `azure-setup`, which makes the identity that connects."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from secscore_pipeline.cli.console import console, error_console, format_json, mark_line
from secscore_pipeline.cli.exit_codes import EXIT_FAILURE, EXIT_WRONG_SETTINGS
from secscore_pipeline.cli.options import feed_option, select_feeds
from secscore_pipeline.cli.settings import IsolatedCommand, SettingsCommand
from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.system.files import FileError, write_file
from secscore_pipeline.system.streams import write_json, write_output

if TYPE_CHECKING:
    from secscore_pipeline.ingest.connection_test import Step


@click.command("test-connection", cls=SettingsCommand)
@click.option("--json", "as_json", is_flag=True, help="Print the steps as JSON.")
@feed_option
def test_connection(as_json: bool, names: tuple[str, ...]) -> None:
    """Test the connection to Azure step by step.

    The steps: settings, network, sign-in, subscriptions, and the data of each. Prints what works, how long it took, and
    the cause and resolution of each failure. Changes nothing.

    Exit code: 0 when everything could be read, 1 when something could not, 2 for wrong settings.
    """
    feeds = select_feeds(names)
    if code := _print_json(feeds) if as_json else run_connection_test(feeds):
        raise click.exceptions.Exit(code)


def run_connection_test(feeds: tuple[Feed, ...]) -> int:
    """Test the connection of each feed, printing each step, equal fetches together; return the exit code."""
    from secscore_pipeline.clock import utc_now
    from secscore_pipeline.ingest.connection import AzureConnection
    from secscore_pipeline.ingest.connection_test import group_readings, run_connection_steps, summarize_steps

    everything: list[Step] = []
    for feed in feeds:
        if len(feeds) > 1:
            console.rule(f"Feed {feed.name}")
        steps: list[Step] = []
        with console.status("Reading"):
            for step in run_connection_steps(AzureConnection.of(feed), utc_now):
                steps.append(step)
                if not step.subscription_id:
                    _print_state(step.state, step.line)
        for group in group_readings(steps):
            _print_state(group.state, group.line)
        console.print(summarize_steps(steps), soft_wrap=True)
        everything += steps
    return _get_exit_code(everything)


def print_sign_in_steps() -> None:
    """Test the connection up to the list of the subscriptions, and print each step."""
    from secscore_pipeline.clock import utc_now
    from secscore_pipeline.ingest.connection import AzureConnection
    from secscore_pipeline.ingest.connection_test import run_connection_steps

    for step in run_connection_steps(AzureConnection.of(Feed()), utc_now):
        if step.subscription_id:
            break
        console.print(mark_line(step.state, step.line))


def _print_json(feeds: tuple[Feed, ...]) -> int:
    """Test the connection of each feed and print all steps as JSON; return the exit code."""
    from secscore_pipeline.clock import utc_now
    from secscore_pipeline.ingest.connection import AzureConnection
    from secscore_pipeline.ingest.connection_test import run_connection_steps, summarize_steps

    steps = [(feed, step) for feed in feeds for step in run_connection_steps(AzureConnection.of(feed), utc_now)]
    records = [{"feed": feed.name, **step.record} for feed, step in steps]
    everything = [step for _, step in steps]
    write_json(format_json({"steps": records, "summary": summarize_steps(everything)}))
    return _get_exit_code(everything)


def _print_state(state: str, line: str) -> None:
    (error_console if state == "failed" else console).print(mark_line(state, line), soft_wrap=True)


def _get_exit_code(steps: "list[Step]") -> int:
    failed = {step.name for step in steps if step.state == "failed"}
    return EXIT_WRONG_SETTINGS if "settings" in failed else EXIT_FAILURE if failed else 0


def _refuse_special_characters(name: str) -> str:
    """Return a name that means nothing to a shell."""
    if not re.fullmatch(r"[\w.() -]+", name):
        raise click.BadParameter(
            f"A name of {len(name)} characters has others than letters, digits, spaces and . - _ ( )."
        )
    return name


@click.command("azure-setup", cls=IsolatedCommand)
@click.option(
    "--subscription-id",
    "subscription_ids",
    multiple=True,
    callback=lambda _context, _option, given: tuple(map(_refuse_special_characters, given)),
    help="A subscription that the identity may read. Repeatable.",
)
@click.option(
    "--management-group",
    callback=lambda _context, _option, given: given and _refuse_special_characters(given),
    help="A management group that it may read, with everything below it.",
)
@click.option(
    "--name",
    default="secscore-reader",
    show_default=True,
    callback=lambda _context, _option, given: _refuse_special_characters(given),
    help="Name of the application.",
)
@click.option(
    "--custom-role",
    is_flag=True,
    help="Use a custom role with the actions needed instead of Security Reader. A management group always gets it.",
)
@click.option(
    "--recommendations",
    is_flag=True,
    help="Let the custom role read recommendations too (assessments in SECSCORE_EVENT_TYPES). Security Reader may.",
)
@click.option("--write", "folder", type=click.Path(file_okay=False, path_type=Path), help="Write the files there.")
def azure_setup(
    subscription_ids: tuple[str, ...],
    management_group: str | None,
    name: str,
    custom_role: bool,
    recommendations: bool,
    folder: Path | None,
) -> None:
    """Print az, Bicep and Terraform templates for a least-privilege identity.

    The endpoints of Azure Resource Manager need no Microsoft Graph permission; SecurityEvents.Read.All would be for
    Microsoft 365's secure score, which is another product.
    """
    from secscore_pipeline.azure.identity import recipes

    if not subscription_ids and not management_group:
        subscription_ids = ("<subscription id>",)
    templates = recipes(
        name, subscription_ids, management_group, custom_role=custom_role, recommendations=recommendations
    )
    if folder is None:
        for file, text in templates.items():
            write_output(f"# ---- {file}\n{text}\n")
        return
    folder.mkdir(parents=True, exist_ok=True)
    paths = {folder / file: text for file, text in templates.items()}
    for path, text in paths.items():  # all are checked before the first is written
        if path.exists() and not (path.is_file() and path.read_bytes() == text.encode()):
            raise FileError(f"{path} exists, with other content.", "file-foreign")
    for path, text in paths.items():
        write_file(path, text)
    console.print(f"Written: {', '.join(map(str, paths))}")
