"""HTML as plain text: the descriptions and remediation steps of recommendations are HTML, some of it escaped twice."""

import re

_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")

LONGEST = 100_000
"""How many characters of a text are converted; the longest that Azure was seen to send has a few thousand."""


def convert_html(text: str) -> str:
    """Return the text that a browser would show of HTML, with a line for each block and list item.

    Markup that was escaped once too often is converted too.

    Args:
        text: HTML, or plain text.
    """
    from inscriptis import get_text  # a tenth of a second that only runs with recommendations need

    shown = get_text(text[:LONGEST])
    if _TAG.search(shown):
        shown = get_text(shown)
    lines = "\n".join(line.rstrip() for line in shown.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip()
