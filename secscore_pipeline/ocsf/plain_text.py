"""HTML as plain text: the descriptions and remediation steps of recommendations are HTML, some of it escaped twice."""

import re

from inscriptis import get_text
from lxml.etree import ParserError

_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")

LONGEST = 100_000
"""How many characters of a text are kept; the longest that Azure was seen to send has a few thousand."""


def convert_html(text: str) -> str | None:
    """Return the text that a browser would show of HTML, with a line for each block and list item.

    Markup that was escaped once too often is converted too. What cannot be markup stays as it is. None where nothing is
    left.

    Args:
        text: HTML, or plain text.
    """
    shown = _show(text[:LONGEST])
    if _TAG.search(shown):
        shown = _show(shown)
    lines = [line.rstrip() for line in shown.splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() or None


def _show(html: str) -> str:
    try:
        return get_text(html)
    except ParserError:  # nothing but comments or spaces
        return ""
