"""Text that somebody else wrote, made fit to be shown: no secret, no control characters, no endless lines."""

import re

from secscore_pipeline.redaction import redact

_CODE = re.compile(r"[A-Za-z0-9_.\- ]{1,100}")
"""What codes and ids of Azure are made of; a code may hold blanks: Subscription Not Registered."""


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
    return printable(redact(text[: max(length * 20, 10_000)], *secrets)[:length])


def bounded_code(given: object) -> str | None:
    """Return a code or id that a server sent as it may be stored, logged and shown; None where it is no such thing.

    Args:
        given: what stands where a code should.

    Source: Azure Resource Manager's error codes and request ids, which are letters, digits, `_`, `.`, `-` and blanks.
    """
    if not isinstance(given, str) or not _CODE.fullmatch(given):
        return None
    return given if redact(given) == given else None
