"""Commands in place of SQL, as other prompts have them."""

import re
from collections.abc import Callable
from functools import partial

import duckdb

from secscore_pipeline.posture.query import Rows, describe_object, run_query
from secscore_pipeline.system.sql_files import load_sql

Question = Callable[[duckdb.DuckDBPyConnection], tuple[list[str], Rows]]
"""Queries a database, and returns the columns and rows of the answer."""

_LIST_COMMANDS = {
    "\\d", "\\d+", "\\dt", "\\dt+", "\\dv", "\\dv+", "\\df", "\\dn", "\\l", ".tables", ".schema", ".databases",
    "tables", "views", "ls", "show tables", "show all tables", "show views", "list tables", "describe", "desc",
}  # fmt: skip
_DESCRIBE_COMMAND = re.compile(
    r"(?:\\d\+?|\\dt\+?|\\dv\+?|\\df|\.schema|\.describe|describe(?: table| view)?|desc|show(?: columns from)?|help)\s+"
    r"\"?([a-z_]\w*)\"?(?:\.\"?([a-z_]\w*)\"?)?",
    re.IGNORECASE,
)


def parse_command(typed: str) -> Question | None:
    r"""Return the question that a command such as `\d` or `show tables` stands for; None where it is none.

    Args:
        typed: a line, or what was given in place of SQL.
    """
    command = normalize_line(typed)
    if command in _LIST_COMMANDS:
        return partial(run_query, text=load_sql("posture/list_objects"))
    if found := _DESCRIBE_COMMAND.fullmatch(command):
        return partial(describe_object, name=".".join(filter(None, found.groups())))
    return None


def normalize_line(line: str) -> str:
    """Return a line as commands are compared: one blank between words, lower case, no semicolon."""
    return re.sub(r"\s+", " ", line.strip().rstrip(";").removesuffix("()").strip()).lower()
