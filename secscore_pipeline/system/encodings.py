"""Texts that people's editors and shells wrote: read as what they are where that is certain, else refused.

Notepad and PowerShell write UTF-16, or UTF-8 with a byte order mark; a mark must become no part of a secret.
"""

import codecs
from pathlib import Path

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NAMES = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8", "utf-32": "UTF-32"}


class EncodingError(Exception):
    """A text is in no encoding that is certain; the message is the end of a sentence that begins with its file."""


def unicode_encoding(content: bytes) -> str | None:
    """Return the Unicode encoding that a text says it has: by its byte order mark, or as UTF-16 by its zeros.

    Returns:
        A name of Python's, whose decoder leaves the mark out; None where the text says nothing, as UTF-8 does.
    """
    for mark, name in _MARKS:
        if content.startswith(mark):
            return name
    head = content[:1024]
    # ASCII in UTF-16 has a zero in each pair of bytes, always on the same side; no other text has any.
    if len(head) >= 2 and len(content) % 2 == 0:
        even, odd = head[::2], head[1::2]
        if not any(odd) and all(even):
            return "utf-16-le"
        if not any(even) and all(odd):
            return "utf-16-be"
    return None


def decode_text(content: bytes) -> str:
    """Return a text in UTF-8, or in UTF-16 or UTF-32 where it says so, without byte order marks; line ends stay.

    A mark at the beginning of a later line, as appending one file to another leaves it, is left out too.

    Raises:
        EncodingError: it is none of them; the message names the encoding and the line, and nothing of the text.
    """
    encoding = unicode_encoding(content) or "utf-8"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].decode(encoding, "ignore").count("\n") + 1
        name = _NAMES.get(encoding, "UTF-16")
        said = "it is no text in UTF-8" if encoding == "utf-8" else f"it begins as {name} and is none"
        raise EncodingError(f"{said} (line {line})") from error
    return text.removeprefix("\ufeff").replace("\n\ufeff", "\n").replace("\r\ufeff", "\r")


def read_text(path: Path) -> str:
    """Return what a file of text holds.

    Raises:
        EncodingError: its encoding is not certain.
        OSError: it cannot be read.
    """
    return decode_text(path.read_bytes())
