"""The README's queries and their real output: `python -m scripts.readme` writes them into it."""

import os
import re
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from secscore_pipeline.config.registry import SETTINGS
from secscore_pipeline.config.setting import Group
from secscore_pipeline.error_catalogue import PARTS
from secscore_pipeline.errors import describe_resolution

README = Path(__file__).resolve().parents[1] / "README.md"
TABLES_PAGE = README.parent / "docs" / "tables.md"
TROUBLESHOOTING_PAGE = README.parent / "docs" / "troubleshooting.md"
ENV_EXAMPLE = README.parent / ".env.example"
SETTINGS_BLOCK = re.compile(r"(<!-- settings:.*?-->\n).*?(<!-- end of settings -->)", re.DOTALL)
BLOCK = re.compile(r"(<!-- queries:.*?-->\n).*?(<!-- end of queries -->)", re.DOTALL)

DAY = datetime(2026, 11, 1, 5, tzinfo=UTC)
"""The day of the demo whose answers the README shows: its world is the same on the same day."""

QUERIES = {
    "The score of each subscription now, lowest first:": """
select subscription_name, "current", "max", round(100 * fraction, 2) as percent
from posture.current_scores
where score = 'ascScore'
order by percent;""",
    "The controls with the greatest potential increase:": """
select control, round(sum(points_to_win), 2) as points_to_win,
    sum(unhealthy_resources) as unhealthy, count(*) as subscriptions
from posture.opportunities
where score = 'ascScore'
group by control order by points_to_win desc limit 5;""",
    "How findings stand, by severity (OCSF events; the newest of each finding counts):": """
with newest as (
    from ocsf.assessment_findings
    qualify row_number() over (partition by finding_info.uid order by time desc) = 1
)
select compliance.status, severity, count(*) as findings
from newest
where activity_name <> 'Close'
group by all order by all;""",
    "What has no score or could not be read, and why:": """
select subscription_name, result, outcome, http_status, error_code
from posture.read_results
where result <> 'read' order by all;""",
    "The score of the tenant, day by day, as Microsoft rolls it up:": """
select day, subscriptions, round(100 * fraction, 2) as percent
from posture.tenant_score
where score = 'ascScore'
order by day desc limit 3;""",
}

if TYPE_CHECKING:
    import duckdb


def rendered() -> str:
    """Run the queries on the database that the demo makes on DAY, and return the README's part.

    Of its past, only the days that the queries show: the rest would change no answer.
    """
    from secscore_pipeline.cli.database import get_warehouse
    from secscore_pipeline.cli.demo import simulate_history
    from secscore_pipeline.cli.local_azure import start_local_azure
    from secscore_pipeline.cli.terminal_table import format_text

    with tempfile.TemporaryDirectory() as folder:
        os.environ["SECSCORE_DATABASE"] = str(Path(folder) / "readme.duckdb")
        parts = []
        with start_local_azure(8) as azure:
            simulate_history(azure, DAY + timedelta(days=1), days=3)
            with get_warehouse().get_reader() as connection:
                for title, query in QUERIES.items():
                    cursor = connection.execute(query)
                    columns = [column[0] for column in cursor.description or []]
                    output = format_text(columns, cursor.fetchall())
                    parts.append(f"{title}\n\n```sql\n{query.strip()}\n```\n```text\n{output}```\n")
    return "\n".join(parts)


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


def settings_tables() -> str:
    """Return the README's tables of settings, one for each group."""
    lines: list[str] = []
    for group in Group:
        lines += ["", f"### {group.value}", "", "| name | what it controls | values | default |", "|---|---|---|---|"]
        for setting in SETTINGS:
            if setting.group is group:
                default = "required" if setting.default is None else f"`{setting.default}`" if setting.default else ""
                cells = (f"`{setting.name}`", setting.meaning, setting.kind.values, default)
                lines.append(f"| {' | '.join(cells)} |".replace("|  |", "| |"))
    return "\n".join(lines[1:]) + "\n"


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
                describe_resolution(entry.name),
            ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLES_PAGE.write_text(tables_page())
    TROUBLESHOOTING_PAGE.write_text(troubleshooting_page())
    ENV_EXAMPLE.write_text(env_example())
    text = BLOCK.sub(lambda found: found[1] + rendered() + found[2], README.read_text())
    README.write_text(SETTINGS_BLOCK.sub(lambda found: found[1] + settings_tables() + found[2], text))
