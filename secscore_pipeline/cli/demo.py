"""`secscore demo`: the whole pipeline once, against a local Azure with simulated history."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from secscore_pipeline.azure.event_types import ASSESSMENTS
from secscore_pipeline.cli import first_steps
from secscore_pipeline.cli.connection import print_sign_in_steps
from secscore_pipeline.cli.console import console, error_console, mark_line
from secscore_pipeline.cli.database import get_warehouse, select_named
from secscore_pipeline.cli.exit_codes import EXIT_FAILURE
from secscore_pipeline.cli.local_azure import start_local_azure, subscriptions_option
from secscore_pipeline.cli.outputs import write_report_file
from secscore_pipeline.cli.settings import IsolatedCommand
from secscore_pipeline.cli.summaries import (
    print_coverage,
    print_first_step,
    print_opportunities,
    print_scores,
    print_trend,
)
from secscore_pipeline.cli.sync import sync_feeds
from secscore_pipeline.config.feeds import Feed
from secscore_pipeline.config.registry import EVENT_TYPES, SECSCORE_DATABASE, SECSCORE_EVENT_TYPES, SECSCORE_REPORT
from secscore_pipeline.text import count_subscriptions

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from secscore_pipeline.emulator.server import LocalAzure

_SCORES = 8
"""How many scores the demo prints."""

_RECOMMENDATION_DAYS = 14
"""How many days of history have recommendations: a day of them takes as long to simulate as a week of scores."""

log = logging.getLogger(__name__)


@click.command(cls=IsolatedCommand)
@subscriptions_option
@click.option("--days", default=90, show_default=True, type=click.IntRange(0, 3650), help="Days of history.")
def demo(subscriptions: int, days: int) -> None:
    """Run the whole pipeline once on simulated data.

    Starts a local Azure with simulated history, syncs it, and prints the results. The data is stored in a database of
    its own.
    """
    from secscore_pipeline.clock import utc_now

    today = utc_now()
    with start_local_azure(subscriptions) as azure:
        console.rule(f"1. History: the last {days} days (simulated)")
        simulate_history(azure, today, days)
        azure.world.simulate_until(today.date())
        os.environ.update(_list_settings(azure, has_recommendations=True))
        console.print(
            f"The simulated tenant began with {count_subscriptions(subscriptions)} and has "
            f"{len(azure.world.subscriptions)} today."
        )
        # After the history, in which subscriptions were added: each step then counts the same number of them.
        console.rule("2. Connection test")
        print_sign_in_steps()
        console.rule("3. Today: materialize every asset")
        with _disable_info_log():
            code = sync_feeds((Feed(),), lists_causes=False)
        if code == EXIT_FAILURE:
            raise click.exceptions.Exit(code)
        with get_warehouse().get_reader() as connection:
            rows = {row["table"]: row["rows"] for row in select_named(connection, "posture/count_rows")}
            console.print(
                f"{rows['raw.fetches']:,} fetches and {rows['ocsf.assessment_findings']:,} findings are stored."
            )
            console.rule("4. Scores (simulated data)")
            print_scores(connection, _SCORES)
            print_trend(connection)
            print_opportunities(connection)
            console.rule("5. Summary")
            _print_summary(connection)
        write_report_file(None)
        _print_next_commands()


def simulate_history(azure: "LocalAzure", today: datetime, days: int) -> None:
    """Store a sync for each day before today that the database lacks, as if it had been run in that morning.

    Args:
        azure: whose tenant is simulated, day by day.
        today: UTC.
        days: how many.
    """
    from rich.progress import track

    from secscore_pipeline.defs.runner import normalize_fetches, store_past_fetches
    from secscore_pipeline.system.sql_files import load_sql

    warehouse = get_warehouse()
    with warehouse.get_connection() as connection:
        (newest_day,) = connection.execute(load_sql("posture/select_newest_day")).fetchone() or (None,)
    this_morning = today.replace(hour=5, minute=0, second=0, microsecond=0)
    mornings = [this_morning - timedelta(days=ago) for ago in range(days, 0, -1)]
    missing = [morning for morning in mornings if newest_day is None or morning.date() > newest_day]
    for morning in track(missing, description="days", console=error_console, disable=not error_console.is_terminal):
        azure.world.simulate_until(morning.date())
        is_recent = (this_morning - morning).days <= _RECOMMENDATION_DAYS
        os.environ.update(_list_settings(azure, has_recommendations=is_recent))
        store_past_fetches(warehouse, f"simulated-{morning:%Y-%m-%d}", morning)
    console.print(f"{len(missing)} days and {normalize_fetches(warehouse):,} findings added.")


def _list_settings(azure: "LocalAzure", *, has_recommendations: bool) -> dict[str, str]:
    """Return the settings that lead to a local Azure, with the event types that are read of it."""
    event_types = [name for name in EVENT_TYPES if has_recommendations or name != ASSESSMENTS.name]
    return {**azure.settings(), SECSCORE_EVENT_TYPES.name: ",".join(event_types)}


@contextmanager
def _disable_info_log() -> Iterator[None]:
    """Leave out what assets log in the block, unless --verbose is given."""
    before = logging.root.manager.disable
    if not log.isEnabledFor(logging.DEBUG):
        logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)


def _print_summary(connection: "DuckDBPyConnection") -> None:
    """Print what was read and what was not, each cause once, and the score."""
    from secscore_pipeline.posture.coverage import list_unread_causes

    causes = list_unread_causes(connection)
    print_coverage(connection)
    for cause in causes:
        console.print(mark_line("failed", cause.sentence))
    if causes:
        console.print("Simulated too: `secscore status` lists it, and exits with 1 for it.")
    for row in select_named(connection, "posture/list_tenant_scores"):
        if row["percentage"] is not None:
            percent = f"{100 * row['percentage']:.2f} %"
            console.print(f"Score of the tenant: {percent}, over {row['subscriptions']} subscriptions.")
    print_first_step(connection)


def _print_next_commands() -> None:
    """Print where the database is, and commands to continue with."""
    database, report, warehouse = SECSCORE_DATABASE.read(), SECSCORE_REPORT.read(), get_warehouse()
    shown = warehouse.label if warehouse.lake else first_steps.shorten_path(warehouse.published_path)
    console.print(f"Database: {shown} (simulated data; never locked)", soft_wrap=True)
    console.print("\nNext: query it in SQL (help lists commands), show its status, open the report:")
    for command in first_steps.list_next_commands(database, report):
        console.print(f"  {command}", soft_wrap=True)
