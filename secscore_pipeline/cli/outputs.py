"""`secscore export` and `secscore report`: files made of what is published."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.text import Text

from secscore_pipeline.cli import first_steps
from secscore_pipeline.cli.console import console, error_console, print_warning
from secscore_pipeline.cli.database import get_warehouse, use_demo_database
from secscore_pipeline.cli.settings import SettingsCommand
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.registry import EXPORTS, SECSCORE_EXPORT_URL, SECSCORE_REPORT
from secscore_pipeline.config.settings import read_export_layout
from secscore_pipeline.errors import explain
from secscore_pipeline.text import describe_value


def _complete_views(_context: click.Context, _option: click.Parameter, typed: str) -> list[str]:
    """Return the views whose names begin with what was typed."""
    from secscore_pipeline.exports.export import list_views
    from secscore_pipeline.warehouse.errors import WarehouseError

    try:
        with get_warehouse().get_published() as connection:
            return [view for view in list_views(connection) if view.startswith(typed)]
    except (SettingsError, WarehouseError):  # a completion prints no errors
        return []


@click.command(cls=SettingsCommand)
@click.option(
    "--format",
    "forms",
    multiple=True,
    required=True,
    type=click.Choice(EXPORTS),
    help="Format to write. Repeatable.",
)
@click.option("--output", help="Folder, or URL for fsspec. Default: SECSCORE_EXPORT_URL.")
@click.option(
    "--view",
    "views",
    multiple=True,
    shell_complete=_complete_views,
    help="With csv and xlsx: only this view of the schema posture. Repeatable.",
)
@click.option("--all", "everything", is_flag=True, help="Write unchanged files again.")
def export(forms: tuple[str, ...], output: str | None, views: tuple[str, ...], everything: bool) -> None:
    """Export findings or views as files for other programs.

    Writes what is new or has changed. jsonl: one OCSF 1.8.0 finding a line. parquet: the same, nested. security-lake:
    OCSF 1.3.0 in the layout of Amazon Security Lake. xlsx: a workbook with a sheet for each posture view. csv: a file
    for each posture view. A stopped export continues when it is run again.
    """
    use_demo_database()
    from secscore_pipeline.exports.destination import Destination
    from secscore_pipeline.exports.export import OF_VIEWS, Lake, list_views
    from secscore_pipeline.exports.export import export as write_export

    if views and (others := [form for form in forms if form not in OF_VIEWS]):
        raise click.UsageError(f"--view works with {' and '.join(OF_VIEWS)}: {others[0]} contains findings.")
    lake, warehouse = Lake(*read_export_layout()), get_warehouse()
    views = tuple(view.lower().removeprefix("posture.") for view in views)
    with warehouse.get_published() as connection:  # before anything is made at the destination
        _refuse_unknown_views(views, list_views(connection))
    destination = Destination(output or SECSCORE_EXPORT_URL.read())
    with (
        destination.scratch_folder(warehouse.path) as folder,
        warehouse.get_published(reachable=[folder]) as connection,
        console.status("Exporting") as shown,
    ):
        for form in dict.fromkeys(forms):
            done = write_export(
                connection, form, destination, lake, folder, everything=everything, views=views, report=shown.update
            )
            console.print(
                f"{form}: {done.units} written, {done.unchanged} unchanged, {done.files} files, "
                f"{done.rows:,} rows, {done.bytes / 1e6:.1f} MB",
            )
            for note in done.notes:
                print_warning(note)
    console.print(Text(f"Destination: {destination.label}"), soft_wrap=True)


def _refuse_unknown_views(views: Sequence[str], known: Sequence[str]) -> None:
    """Raise where there is no view of a name, with the nearest name."""
    if unknown := [view for view in views if view not in known]:
        what = f"{describe_value('--view', unknown[0], *known)} names no view of the schema posture."
        raise click.BadParameter(explain(what, "view-unknown", views=", ".join(known)))


@click.command(cls=SettingsCommand)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write. Default: SECSCORE_REPORT."
)
@click.option("--open", "show", is_flag=True, help="Open the report in the browser.")
def report(output: Path | None, show: bool) -> None:
    """Write the HTML report.

    One file with scores, trend, changes and opportunities. It loads nothing from the network: it can be mailed, printed
    and archived.
    """
    use_demo_database()
    path = write_report_file(output)
    if show and not _has_browser():
        error_console.print("There is no browser here: copy the file to a machine that has one.")
    elif show:
        click.launch(path.as_uri())


def write_report_file(output: Path | None) -> Path:
    """Write the report of what is published, print where it is, and return its path.

    Args:
        output: where to; SECSCORE_REPORT where it is None.
    """
    from secscore_pipeline.clock import utc_now
    from secscore_pipeline.report.page import read_report, resolve_report_path, write_report

    path = resolve_report_path(str(output) if output else SECSCORE_REPORT.read())
    with get_warehouse().get_published() as connection:
        content = read_report(connection, utc_now())
    size = write_report(content, path)
    console.print(f"Report: {first_steps.shorten_path(path)} ({size / 1e6:.2f} MB)", soft_wrap=True)
    return path


def _has_browser() -> bool:
    """Return whether a page can be opened where this runs: on Linux that takes a display, or BROWSER."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
