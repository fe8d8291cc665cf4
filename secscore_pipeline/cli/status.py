"""`secscore status`."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table
from rich.text import Text

from secscore_pipeline.cli.console import format_json, result_console
from secscore_pipeline.cli.database import get_warehouse, use_demo_database
from secscore_pipeline.cli.exit_codes import EXIT_FAILURE
from secscore_pipeline.cli.settings import load_settings
from secscore_pipeline.config.feeds import Feed, read_feeds
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.system.streams import write_json, write_output
from secscore_pipeline.text import printable

if TYPE_CHECKING:
    from secscore_pipeline.posture.status import Status


class _UnknownStateError(click.BadParameter):
    """A wrong option of a check: a monitoring system takes click's exit code 2 for CRITICAL."""

    exit_code = 3


def _parse_max_age(_context: click.Context, _option: click.Parameter, given: str | None) -> timedelta | None:
    from secscore_pipeline.cli.monitoring import parse_age

    try:
        return None if given is None else parse_age(given)
    except ValueError as error:
        raise _UnknownStateError(str(error)) from error


@click.command
@click.option("--json", "as_json", is_flag=True, help="Print the status as JSON.")
@click.option(
    "--max-age",
    metavar="AGE",
    callback=_parse_max_age,
    help="Work as a Nagios plugin: check that the last complete sync of each feed is not older than this (26h, 90m, "
    "2d).",
)
def status(as_json: bool, max_age: timedelta | None) -> None:
    """Show the last fetch of each feed, current scores, and problems.

    Reads the published database and no network. Lines that begin with ! are problems, such as a subscription that could
    not be read. Exit code: 0 without problems, 1 with some; the status is printed in full in both cases.

    With --max-age the first line and the exit code are for a monitoring system: 2 (CRITICAL) when a feed had no
    complete sync within that time, never had one, or has one from the future; 1 (WARNING) for any other problem; 3
    (UNKNOWN) when there is no database, or it or the settings cannot be read; else 0 (OK). A sync is complete when each
    subscription in scope was read, for each event type in SECSCORE_EVENT_TYPES, in all batches. Its age counts from the
    end of its last fetch, once it is published.
    """
    if max_age:
        raise click.exceptions.Exit(_check_age(max_age, as_json=as_json))
    load_settings()
    use_demo_database()
    found, database = _read_status(None)
    if as_json:
        write_json(format_json({**found.record, "database": database}))
    else:
        _print_status(found, read_feeds())
        line = f"Database: {database['path']} ({database['bytes'] / 1e6:.1f} MB)"
        result_console.print(line, soft_wrap=True)
        if found.attention:
            result_console.print("Exit code 1: lines that begin with ! are problems.")
    if found.attention:
        raise click.exceptions.Exit(EXIT_FAILURE)


def _read_status(max_age: timedelta | None) -> "tuple[Status, dict[str, Any]]":
    """Return the status, and where the published database is and how large."""
    from secscore_pipeline.alerts.journal import list_alert_problems
    from secscore_pipeline.clock import utc_now
    from secscore_pipeline.posture.status import read_status

    warehouse, feeds = get_warehouse(), read_feeds()
    with warehouse.get_published() as connection:
        found = read_status(connection, feeds, utc_now(), max_age, list_alert_problems(warehouse.published_path))
    return found, {"path": warehouse.label, "bytes": warehouse.published_size()}


def _check_age(max_age: timedelta, *, as_json: bool) -> int:
    """Print the verdict for a monitoring system, and return the exit code that says the same."""
    import duckdb

    from secscore_pipeline.cli.monitoring import State, Verdict, judge_status
    from secscore_pipeline.warehouse.errors import WarehouseError

    record: dict[str, Any] = {}
    try:
        load_settings()
        found, database = _read_status(max_age)
    except (SettingsError, WarehouseError, OSError, duckdb.Error) as error:
        problem, *others = str(error).splitlines() or [type(error).__name__]
        verdict = Verdict(State.UNKNOWN, problem, tuple(others))
    else:
        verdict = judge_status(found, max_age, database["bytes"])
        record = {**found.record, "database": database}
    if as_json:
        write_json(format_json({**verdict.record, "max_age_seconds": int(max_age.total_seconds()), **record}))
    else:
        write_output("".join(f"{printable(line)}\n" for line in verdict.lines))
    return verdict.state


def _print_status(found: "Status", feeds: tuple[Feed, ...]) -> None:
    schedules = {feed.name: f"{feed.schedule} {feed.time_zone}" for feed in feeds}
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("Feed", "Schedule", "Last fetch", "Read", "No score", "Not read"):
        table.add_column(name, no_wrap=name != "Feed")
    for row in found.feeds:
        numbers = (f"{row['read']} of {row['subscriptions']}", str(row["without_score"]), str(row["not_read"]))
        observed_at = f"{row['observed_at']:%Y-%m-%d %H:%M} UTC"
        table.add_row(Text(printable(row["feed"])), schedules.get(row["feed"], "not configured"), observed_at, *numbers)
    result_console.print(table)
    for row in found.scores:
        before = row["percentage_before"]
        change = "" if before is None else f", {100 * (row['percentage'] - before):+.2f} percentage points in 7 days"
        line = f"Tenant {row['tenant_id']}: {100 * row['percentage']:.2f} %{change} ({row['day']})"
        result_console.print(Text(printable(line), style="bold"), soft_wrap=True)
    if found.open_findings:
        result_console.print(_describe_open_findings(found.open_findings), soft_wrap=True)
    for line in found.attention:
        result_console.print(Text(f"! {printable(line)}", style="yellow"), soft_wrap=True)


def _describe_open_findings(tenants: list[dict[str, Any]]) -> str:
    """Say in a line how many resources are unhealthy in recommendations of critical and high severity."""
    critical, high = (sum(tenant[name] for tenant in tenants) for name in ("open_critical", "open_high"))
    oldest = max((tenant["oldest_days"] for tenant in tenants if tenant["oldest_days"] is not None), default=None)
    age = "" if oldest is None else f"; the oldest is {oldest} {'day' if oldest == 1 else 'days'} old"
    return f"Open findings: {critical} critical, {high} high{age}"
