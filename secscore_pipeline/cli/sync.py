"""`secscore sync`."""

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import click

from secscore_pipeline.cli.console import console, error_console, print_error, print_warning
from secscore_pipeline.cli.database import get_warehouse
from secscore_pipeline.cli.exit_codes import EXIT_FAILURE, EXIT_PARTIAL, EXIT_UNPUBLISHED
from secscore_pipeline.cli.options import feed_option, select_feeds
from secscore_pipeline.cli.progress import show_progress
from secscore_pipeline.cli.settings import SettingsCommand
from secscore_pipeline.cli.summaries import print_coverage, print_first_step, print_scores
from secscore_pipeline.errors import explain

if TYPE_CHECKING:
    from secscore_pipeline.config.feeds import Feed
    from secscore_pipeline.defs.runner import RunResult


@click.command(cls=SettingsCommand)
@feed_option
def sync(names: tuple[str, ...]) -> None:
    """Synchronize: fetch, store, normalize, check and publish.

    Reads the secure scores of every subscription. Each feed is synced in a run of its own; a feed that fails does not
    affect the others.

    Exit code: 0 success; 1 nothing was stored; 2 wrong settings; 3 stored and published, but a part could not be read
    or exported; 4 stored, but not published. Some unreadable subscriptions are 0, unless SECSCORE_PARTIAL_FAILURE is
    fail.
    """
    code = sync_feeds(select_feeds(names))
    if code == EXIT_UNPUBLISHED:
        _print_unpublished()
    elif code != EXIT_FAILURE:
        with get_warehouse().get_reader() as connection:
            print_scores(connection)
            print_first_step(connection)
            print_coverage(connection)
        console.print(f"Database: {get_warehouse().label}", soft_wrap=True)
    if code:
        raise click.exceptions.Exit(code)


def sync_feeds(feeds: "tuple[Feed, ...]", *, lists_causes: bool = True) -> int:
    """Sync feeds, printing each step, and return the exit code that says how they ended together.

    Args:
        feeds: whose subscriptions are read.
        lists_causes: whether to print why subscriptions could not be read.
    """
    from secscore_pipeline.definitions import defs
    from secscore_pipeline.defs.runner import (
        FeedResult,
        FeedStart,
        RunResult,
        RunStart,
        SyncOutcome,
        combine_outcomes,
        run_sync,
    )

    outcomes = []
    with closing(run_sync(defs, feeds)) as steps, ExitStack() as progress:
        for step in steps:
            match step:
                case FeedStart():
                    if step.feed.partition:
                        console.rule(f"Feed {step.feed.name}")
                case RunStart():
                    if step.batch:
                        console.print(f"Batch {step.batch} ({step.number} of {step.batches})")
                    if not console.quiet:
                        progress.enter_context(show_progress(error_console))
                case RunResult():
                    progress.close()
                    _print_problems(step)
                case FeedResult():
                    outcomes.append(step.outcome)
                    if step.problem:
                        print_error(step.problem)
                    if lists_causes:
                        _print_causes(step.sync_id)
    codes = {
        SyncOutcome.COMPLETE: 0,
        SyncOutcome.PARTIAL: EXIT_PARTIAL,
        SyncOutcome.UNPUBLISHED: EXIT_UNPUBLISHED,
        SyncOutcome.NOTHING_STORED: EXIT_FAILURE,
    }
    return codes[combine_outcomes(outcomes)]


def _print_problems(result: "RunResult") -> None:
    for message in result.messages:
        print_error(message)
    for check in result.failed_checks:
        print_warning(check.message, "yellow" if check.is_warning else "red")


def _print_causes(sync_id: str) -> None:
    """Print why subscriptions could not be read in a sync, and what to do: each cause once, with their names."""
    from secscore_pipeline.posture.coverage import list_unread_causes
    from secscore_pipeline.warehouse.errors import WarehouseError

    try:
        with get_warehouse().get_reader() as connection:
            causes = list_unread_causes(connection, sync_id)
    except WarehouseError:
        return  # the run has already said what is wrong with the file
    for cause in causes:
        print_error(cause.sentence)
        if cause.resolution:
            error_console.print(f"  {cause.resolution}", soft_wrap=True)
    if causes:
        error_console.print("  All of them: secscore query \"from posture.read_results where result = 'not_read'\"")


def _print_unpublished() -> None:
    """Print what is stored, what readers have, and what to do, after a run that could not publish what it stored."""
    from secscore_pipeline.warehouse.errors import WarehouseError
    from secscore_pipeline.warehouse.retention import get_newest_fetch

    warehouse = get_warehouse()
    try:
        with warehouse.get_published() as connection:
            until = get_newest_fetch(connection)
        readers = f"{warehouse.label} has data until {until:%Y-%m-%d %H:%M} UTC" if until else "it is empty"
    except WarehouseError as error:
        readers = f"there is nothing at {warehouse.label} that could be read ({error.failure})"
    what = f"This run is stored in {warehouse.path}, but not published: {readers}."
    error_console.print(explain(what, "run-unpublished"), style="red", soft_wrap=True)
