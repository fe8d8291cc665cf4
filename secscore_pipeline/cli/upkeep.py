"""`secscore maintain` and `secscore migrate`: work on the database itself."""

import click
from rich.text import Text

from secscore_pipeline.cli.console import console, print_warning, result_console
from secscore_pipeline.cli.database import get_warehouse, select_named
from secscore_pipeline.cli.settings import SettingsCommand
from secscore_pipeline.config.registry import SECSCORE_DATA_PATH, SECSCORE_RETENTION_DAYS, SECSCORE_WORK_DATABASE
from secscore_pipeline.config.storage import parse_lake_settings


@click.command(cls=SettingsCommand)
@click.option(
    "--retention-days",
    type=click.IntRange(min=1),
    help="Delete fetches observed more than this many days before the newest one. Default: SECSCORE_RETENTION_DAYS; "
    "empty keeps everything.",
)
def maintain(retention_days: int | None) -> None:
    """Compact the database and delete fetches past the retention.

    First-seen and last-changed times before the retention are kept; findings rebuilt from the rest are the same.
    """
    from secscore_pipeline.clock import utc_now

    days = retention_days or SECSCORE_RETENTION_DAYS.read()
    warehouse = get_warehouse()
    with console.status("Compacting"):
        done = warehouse.maintain(utc_now(), days)
    with warehouse.get_reader() as connection:
        storage = select_named(connection, "warehouse/measure_storage")[0]
    for warning in done.warnings:
        print_warning(warning)
    if done.cutoff:
        console.print(f"What was observed before {done.cutoff:%Y-%m-%d %H:%M} UTC is deleted.")
    observations = storage["observations"]
    kept = f"since {storage['oldest']:%Y-%m-%d}" if observations else "empty"
    each = f", {done.after / observations:.0f} bytes each" if observations else ""
    console.print(
        f"Size: {done.before / 1e6:.1f} MB before, {done.after / 1e6:.1f} MB after: "
        f"{observations:,} observations {kept}{each}.",
    )


@click.command(cls=SettingsCommand)
@click.option(
    "--to", "target", required=True, help="The lake: ducklake:postgres:host=... dbname=..., without a password."
)
@click.option("--data-path", help="Folder or URL of its Parquet files. Default: SECSCORE_DATA_PATH.")
def migrate(target: str, data_path: str | None) -> None:
    """Copy the DuckDB file into a DuckLake and compare them.

    Every row of both is compared. A stopped migration continues when it is run again. The file stays unchanged.
    docs/scale.md says when a lake is worth it.
    """
    from secscore_pipeline.warehouse.lake import Lake
    from secscore_pipeline.warehouse.moving import move

    warehouse = get_warehouse()
    where = parse_lake_settings(target, data_path or SECSCORE_DATA_PATH.read(), SECSCORE_WORK_DATABASE.read())
    if where is None:
        raise click.BadParameter("That is no lake: it begins with ducklake:.", param_hint="--to")
    if warehouse.lake:
        raise click.UsageError(f"SECSCORE_DATABASE is a lake already: {warehouse.label}.")
    if warehouse.path.exists():
        warehouse.publish()  # what runs have stored and not published yet is moved too
    moved = move(warehouse.published_path, Lake(*where), console.print)
    console.print(f"{sum(moved.values()):,} rows in {len(moved)} tables. Set from now on:")
    lines = f"SECSCORE_DATABASE={target}\nSECSCORE_DATA_PATH={where.data_path}"
    result_console.print(Text(lines), soft_wrap=True)
