"""HTML as plain text: the descriptions and remediation steps of recommendations are HTML, some of it escaped twice."""

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import duckdb

from secscore_pipeline.system.sql_files import load_sql

if TYPE_CHECKING:
    from inscriptis.model.config import ParserConfig
    from inscriptis.model.html_element import HtmlElement

Run = Callable[[str, dict[str, object]], duckdb.DuckDBPyConnection]
"""Executes statements with parameters on a connection that is open for writing; returns the result of the last one."""

_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")

_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)

LONGEST = 20_000
"""How many characters of a text are converted, and kept; the longest that Azure was seen to send has a few thousand.

A table may take the square of it, since a column is as wide as its widest cell.
"""


def convert_html(text: str) -> str:
    """Return the text that a browser would show of HTML, with a line for each block and list item.

    Markup that was escaped once too often is converted too.

    Args:
        text: HTML, or plain text.
    """
    from inscriptis import get_text  # a tenth of a second that only runs with recommendations need

    config = _build_config()
    shown = get_text(text[:LONGEST], config)
    if _TAG.search(shown):
        shown = get_text(shown[:LONGEST], config)
    lines = "\n".join(line.rstrip() for line in shown.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip()[:LONGEST]


@cache
def _build_config() -> "ParserConfig":
    """Return a configuration in which no attribute counts but a style that hides its element.

    An indent may be 100,000 blanks for each line of it, and inscriptis fails for a length of hundreds of digits.
    """
    from inscriptis.model.config import ParserConfig

    config = ParserConfig()
    config.attribute_handler.attribute_mapping = {"style": _hide}
    return config


def _hide(style: str, element: "HtmlElement") -> None:
    from inscriptis.html_properties import Display

    if _HIDDEN.search(style):
        element.display = Display.none


def convert_texts(run: Run, part: dict[str, object]) -> None:
    """Make the temporary table `plain_texts` of the HTML in new metadata: each text, and what is shown of it.

    Args:
        run: executes statements.
        part: which record versions are new: those after `after`, up to `upto`.
    """
    limits = {name: part[name] for name in ("after", "upto")}
    texts = [html for (html,) in run(load_sql("ocsf/select_html_texts"), limits).fetchall()]
    run("create or replace temp table plain_texts (html varchar, plain varchar)", {})
    if texts:
        values: dict[str, object] = {"html": texts, "plain": list(map(convert_html, texts))}
        run("insert into plain_texts select unnest($html), unnest($plain)", values)
