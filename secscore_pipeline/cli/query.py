"""`secscore query`: SQL on the published database, once or at a prompt."""

import re
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click
from rich.text import Text

from secscore_pipeline.cli.console import console, error_console, result_console
from secscore_pipeline.cli.database import get_warehouse, use_demo_database
from secscore_pipeline.cli.options import read_text
from secscore_pipeline.cli.settings import SettingsCommand
from secscore_pipeline.system.streams import write_json, write_output

if TYPE_CHECKING:
    from secscore_pipeline.cli.prompt_commands import Question
    from secscore_pipeline.posture.query import Rows


@click.command(cls=SettingsCommand)
@click.argument("sql", required=False)
@click.option("--file", type=click.File("rb"), help="Read the SQL from a file; - reads standard input.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", "csv", "json", "markdown")),
    default="table",
    show_default=True,
    help="Output format.",
)
@click.option("--at", type=click.DateTime(), help="Query a lake as it was at this time (UTC).")
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    metavar="PATH",
    help="A file or folder that the SQL may read beside the database. Repeatable.",
)
@click.option("--all", "has_all", is_flag=True, help="On a terminal: print every column, however wide.")
def query(
    sql: str | None, file: BinaryIO | None, form: str, at: datetime | None, allowed: tuple[str, ...], has_all: bool
) -> None:
    """Run an SQL query and print the rows.

    The database is opened read-only. The SQL can read the database and what --allow names; it cannot write, and has no
    access to other files or the network.

    Without SQL: a prompt on a terminal; elsewhere a list of the tables and views. On a terminal, columns that do not
    fit are left out, least informative first, or each record is printed as a list; --all prints every column.

    Uses the demo's database where there is no other.

    Exit code: 0 when the query succeeded, 1 when it failed.
    """
    use_demo_database()
    from secscore_pipeline.posture.query import resolve_allowed_paths, run_query
    from secscore_pipeline.system.sql_files import load_sql

    warehouse = get_warehouse()
    if at and not warehouse.lake:
        raise click.UsageError("--at needs a lake: a DuckDB file has only the state after the newest run.")
    published = partial(
        warehouse.get_published,
        at and at.replace(tzinfo=UTC),
        reachable=resolve_allowed_paths(Path(one) for one in allowed),
    )
    if not (file or sql) and sys.stdin.isatty() and sys.stdout.isatty():
        from secscore_pipeline.cli.prompt import run_prompt

        run_prompt(published, partial(_print_rows, form=form), error_console, has_all=has_all)
        return
    text = read_text(file) if file else sql or load_sql("posture/list_objects")
    question = _find_command(text) or partial(run_query, text=text)
    with published() as connection:
        columns, rows = question(connection)
    _print_rows(columns, rows, form=form, has_all=has_all)


def _find_command(text: str) -> "Question | None":
    r"""Return the question of a command such as `\d` or `show tables`; None where it is SQL that DuckDB answers."""
    from secscore_pipeline.cli.prompt_commands import parse_command

    is_sql = re.match(r"\s*(describe|desc|show)\s+\S", text, re.IGNORECASE) and not re.search(
        r"\b(tables|views)\s*;?\s*$", text, re.IGNORECASE
    )
    return None if is_sql else parse_command(text)


def _print_rows(columns: list[str], rows: "Rows", *, form: str, has_all: bool = False) -> None:
    """Print the rows of a query in one of the formats; all columns where the output is no terminal."""
    from secscore_pipeline.cli.terminal_table import fit_answer, format_text
    from secscore_pipeline.posture.query import FORMS

    if form != "table":
        (write_json if form == "json" else write_output)(FORMS[form](columns, rows))
    elif not result_console.is_terminal:
        write_output(format_text(columns, rows))
    else:
        answer = fit_answer(columns, rows, result_console.width, has_all=has_all)
        result_console.print(answer.shown)
        if not rows:
            error_console.print("No rows.")
        if answer.note and not console.quiet:
            error_console.print(Text(answer.note, style="dim"))
