"""Text that somebody else wrote, made fit to be shown: no secret, no control characters, no endless lines."""

import re

_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*|(?<=Bearer )\S+", re.IGNORECASE)


def printable(text: str) -> str:
    """Return `text` with everything that a terminal or browser might obey written out as its escape.

    Line ends, escape sequences, NUL and the marks that turn the direction of writing become visible.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def in_markdown(text: str) -> str:
    """Return `text` as it may stand in Markdown: no link, picture, table or HTML comes of it."""
    return "".join(f"\\{mark}" if mark in "\\`*[]<>|!#" else mark for mark in printable(text))


def quoted(text: str, *secrets: str, length: int = 300) -> str:
    """Return what a server said as it may stand in a message: short, printable, without a token or secret.

    Args:
        text: as received.
        secrets: what must not appear, though a server or proxy may send it back.
        length: characters to keep.
    """
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return printable(_TOKEN.sub("***", text)[:length])
