"""What is generated in the documents: `python -m scripts.readme` writes it into them.

Whole pages: the tables, the settings, the command line, troubleshooting. In README.md and the pages of docs/, the
output of each example: a block of SQL that a block of text follows. In the page on performance, the figures that
`make bench` has kept.
"""

import os
import re
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.tables import PAGE as PERFORMANCE_PAGE
from bench.tables import write_tables
from secscore_pipeline.cli.main import COMMANDS, main
from secscore_pipeline.cli.prompt import _HELP as PROMPT_HELP
from secscore_pipeline.config.registry import SETTINGS
from secscore_pipeline.config.setting import Group
from secscore_pipeline.error_catalogue import PARTS
from secscore_pipeline.errors import describe_resolution

if TYPE_CHECKING:
    import duckdb

README = Path(__file__).resolve().parents[1] / "README.md"
DOCS = README.parent / "docs"
TABLES_PAGE = DOCS / "tables.md"
SETTINGS_PAGE = DOCS / "settings.md"
COMMANDS_PAGE = DOCS / "command-line.md"
TROUBLESHOOTING_PAGE = DOCS / "troubleshooting.md"
ENV_EXAMPLE = README.parent / ".env.example"

EXAMPLE = re.compile(r"(```sql\n(?P<sql>[^`]*)```\n\n?```text\n)[^`]*(```\n)")
"""A query in a document, and its output."""

DAY = datetime(2026, 11, 1, 5, tzinfo=UTC)
"""The day of the demo whose answers the documents show: its world is the same on the same day."""


def pages_with_examples() -> dict[str, str]:
    """Return the text of each document that has an example, by its path below the project's folder."""
    pages = (README, *sorted(DOCS.glob("*.md")))
    texts = {str(page.relative_to(README.parent)): page.read_text() for page in pages}
    return {name: text for name, text in texts.items() if EXAMPLE.search(text)}


def render_examples(database: Path, pages: Mapping[str, str]) -> dict[str, str]:
    """Return pages with the output that their queries have on the database that the demo makes on DAY.

    Args:
        database: the file to make. Of the demo's past it has only the days that the queries show: the rest would change
            no answer.
        pages: their texts, by name.
    """
    from secscore_pipeline.cli.database import get_warehouse
    from secscore_pipeline.cli.demo import simulate_history
    from secscore_pipeline.cli.local_azure import start_local_azure

    os.environ["SECSCORE_DATABASE"] = str(database)
    with start_local_azure(8) as azure:
        simulate_history(azure, DAY + timedelta(days=1), days=3)
    warehouse = get_warehouse()
    warehouse.publish()
    with warehouse.get_published() as connection:
        return {
            name: EXAMPLE.sub(lambda found: found[1] + answer(connection, found["sql"]) + found[3], text)
            for name, text in pages.items()
        }


def answer(connection: "duckdb.DuckDBPyConnection", query: str) -> str:
    """Return what `secscore query` prints of a query, as text."""
    from secscore_pipeline.cli.terminal_table import format_text

    cursor = connection.execute(query)
    return format_text([column[0] for column in cursor.description or []], cursor.fetchall())


SCHEMAS = {
    "posture": "Views for analysts: scores, controls, their history, and what changed.",
    "ocsf": "The findings in the form of the Open Cybersecurity Schema Framework (OCSF).",
    "raw": "What was read, as received, and how each fetch ended.",
    "internal": "Working tables. They may change from version to version.",
    "meta": "The bookkeeping of the schema itself.",
}
"""The schemas in the order in which a reader needs them."""


def tables_page() -> str:
    """Return the page that lists every table and view with its columns, from the catalog itself."""
    import duckdb

    from secscore_pipeline.warehouse.schema import make_schema

    lines = [
        "# Tables and views",
        "",
        "Written by `make readme` from the comments that the database itself carries: `duckdb_columns()` has them too.",
        "",
        *(f"- `{name}`: {meaning}" for name, meaning in SCHEMAS.items()),
    ]
    with duckdb.connect(":memory:") as connection:
        make_schema(connection)
        lines += ["", "# posture", *describe_tables(connection, "posture"), *describe_macros(connection)]
        for schema in list(SCHEMAS)[1:]:
            lines += ["", f"# {schema}", *describe_tables(connection, schema)]
    return "\n".join(lines) + "\n"


def describe_tables(connection: "duckdb.DuckDBPyConnection", schema: str) -> list[str]:
    """Return the lines on the tables and views of a schema, by name."""
    lines = []
    entries = connection.execute(
        "select table_name, comment from duckdb_tables() where not internal and schema_name = $schema union all "
        "select view_name, comment from duckdb_views() where not internal and schema_name = $schema order by all",
        {"schema": schema},
    ).fetchall()
    for name, meaning in entries:
        lines += ["", f"## {schema}.{name}", "", meaning, "", "| column | type | meaning |", "|---|---|---|"]
        columns = connection.execute(
            "select column_name, data_type, comment from duckdb_columns() "
            "where schema_name = ? and table_name = ? order by column_index",
            [schema, name],
        ).fetchall()
        for column, kind, comment in columns:
            shown = kind if len(kind) < 60 else f"{kind.split('(')[0]}{'[]' if kind.endswith('[]') else ''}"
            lines.append(f"| `{column}` | {shown} | {comment} |")
    return lines


def describe_macros(connection: "duckdb.DuckDBPyConnection") -> list[str]:
    """Return the lines on the macros that answer common questions."""
    lines = [
        "",
        "## Macros",
        "",
        "Common questions, asked with `from`; a subscription is named by its id or its name.",
        "",
        "| macro | a row is | arguments | example |",
        "|---|---|---|---|",
    ]
    macros = connection.execute(
        "select schema_name || '.' || function_name || '(' || array_to_string(parameters, ', ') || ')', comment "
        "from duckdb_functions() where function_type = 'table_macro' and schema_name = 'posture' order by all"
    ).fetchall()
    for name, comment in macros:
        meaning, *arguments, example = comment.removeprefix("One row: ").splitlines()
        example = example.removeprefix("Example: ")
        lines.append(f"| `{name}` | {meaning} | {'; '.join(arguments)} | `{example}` |")
    return lines


READERS = {
    "To connect Azure": (Group.CONNECTION, Group.SCOPE),
    "To operate it": (Group.STORAGE, Group.SCHEDULE, Group.SERVICE),
    "To send alerts, reports and exports": (Group.ALERTS, Group.EXPORTS),
}
"""The groups of settings, by what their reader wants to do."""


def settings_page() -> str:
    """Return the page of all settings, from the registry that reads them."""
    lines = [
        "# Settings",
        "",
        "Written by `make readme` from `config/registry.py`. Settings come from the environment, or from the file",
        "`.env` in the working directory; the environment wins. [.env.example](../.env.example) is a file to copy.",
        "",
        "Every command first checks all settings. It also warns of a name that looks like a setting and is not one,",
        "such as `SECSCORE_EXPORT`, and names the nearest setting.",
    ]
    for title, groups in READERS.items():
        lines += ["", f"## {title}"]
        for group in groups:
            lines += [
                "",
                f"### {group.value}",
                "",
                "| name | what it controls | values | default |",
                "|---|---|---|---|",
            ]
            for setting in SETTINGS:
                if setting.group is group:
                    default = (
                        "required" if setting.default is None else f"`{setting.default}`" if setting.default else ""
                    )
                    cells = (f"`{setting.name}`", setting.meaning, setting.kind.values, default)
                    lines.append(f"| {' | '.join(cells)} |".replace("|  |", "| |"))
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """Return the page of all commands with their options, from the help that the commands print."""
    lines = [
        "# Command line",
        "",
        "Written by `make readme` from the commands' own help: `secscore COMMAND --help` prints the same.",
        "",
        "A command that succeeds exits with 0, one that fails with 1, and one with wrong settings or options with 2. A",
        "command that finds more to tell says so below. Ctrl-C ends a command with 130, SIGTERM with 143.",
        "",
        *describe_command(main, "secscore"),
    ]
    for command in sorted((one.load() for one in COMMANDS), key=lambda one: one.name or ""):
        lines += ["", f"## secscore {command.name}", "", *describe_command(command, f"secscore {command.name}")]
        if command.name == "query":
            lines += ["", "At the prompt:", "", "```text", PROMPT_HELP, "```"]
    return "\n".join(lines) + "\n"


def describe_command(command: click.Command, name: str) -> list[str]:
    """Return the lines on a command: its usage, its help and its options."""
    group = click.Context(main, info_name="secscore", **main.context_settings)
    context = group if command is main else click.Context(command, parent=group, info_name=command.name)
    usage = " ".join(command.collect_usage_pieces(context))
    paragraphs = [escape(" ".join(part.split())) for part in (command.help or "").split("\n\n")]
    lines = ["```", f"{name} {usage}", "```"]
    for paragraph in paragraphs:
        lines += ["", paragraph]
    lines += ["", "| option | meaning |", "|---|---|"]
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None:
            option, meaning = record
            lines.append(f"| `{option.replace('|', chr(92) + '|')}` | {escape(meaning)} |")
    return lines


def escape(text: str) -> str:
    """Return a text of the command line as Markdown that shows each of its characters."""
    return re.sub(r"([<>|*\\\[\]])", r"\\\1", text)


def env_example() -> str:
    """Return the file to copy to .env."""
    lines = [
        "# Copy to .env, fill in, and keep it to yourself: chmod 600 .env (`secscore init` does all that).",
        "# Lines that begin with # show the default.",
    ]
    for group in Group:
        lines += ["", f"# ---- {group.value}"]
        for setting in SETTINGS:
            if setting.group is group:
                is_asked_for = setting.default is None or setting.name in ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
                off = "" if is_asked_for else "# "
                lines += ["", f"# {setting.help}", f"{off}{setting.name}={setting.default or ''}"]
    return "\n".join(lines) + "\n"


def troubleshooting_page() -> str:
    """Return the page of failures, from the catalogue that the errors are made of."""
    lines = [
        "# Troubleshooting",
        "",
        "Every error message ends with the name of its entry here, in brackets. Written by `make readme` from the",
        "catalogue that the errors themselves are made of. `secscore test-connection` finds most of these by itself.",
    ]
    for part, entries in PARTS.items():
        lines += ["", f"## {part}"]
        for entry in entries:
            lines += [
                "",
                f"### {entry.name}",
                "",
                f"**{entry.title}.** {entry.why}",
                "",
                re.sub(r"<(?=\w)", r"\<", describe_resolution(entry.name)),
            ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLES_PAGE.write_text(tables_page())
    SETTINGS_PAGE.write_text(settings_page())
    COMMANDS_PAGE.write_text(commands_page())
    TROUBLESHOOTING_PAGE.write_text(troubleshooting_page())
    ENV_EXAMPLE.write_text(env_example())
    PERFORMANCE_PAGE.write_text(write_tables(PERFORMANCE_PAGE.read_text()))
    with tempfile.TemporaryDirectory() as folder:
        for name, text in render_examples(Path(folder) / "readme.duckdb", pages_with_examples()).items():
            (README.parent / name).write_text(text)
