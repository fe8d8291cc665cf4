"""Standard input and output: always open, and able to take every character, whatever the console can show."""

import codecs
import json
import os
import re
import sys
from io import TextIOWrapper

_SIMPLER = {
    "✓": "+",
    "✗": "x",
    "○": "o",
    "…": "...",
    "–": "-",
    "—": "-",
    "−": "-",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "×": "x",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "\N{NO-BREAK SPACE}": " ",
    **dict(zip("▁▂▃▄▅▆▇█", "12345678", strict=True)),
}
"""What is written for a character of this program's own that a console cannot show; for any other: a question mark."""

_REPLACE = "secscore_replace"


def prepare_streams() -> None:
    """Make the standard streams fit to be written to.

    What a shell has closed (`>&-`) is opened, so that no file of ours gets its number and is written to as a terminal;
    writing to it fails, as it did, with a sentence. A character that the encoding of an output cannot hold (a console
    in cp1252, LC_ALL=C, PYTHONIOENCODING) is replaced: an exit code is about the work, not of the console.
    """
    codecs.register_error(_REPLACE, _replacement)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # takes the lowest number that is free: this one
            setattr(sys, name, open(number, "r" if name == "stdin" else "w", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a test may have put another in its place
            stream.reconfigure(errors=_REPLACE)


def write_output(text: str) -> None:
    """Write a text for machines to standard output, as it is.

    click.echo would write UTF-8 where the encoding is ASCII.
    """
    sys.stdout.write(text)
    sys.stdout.flush()


def write_json(text: str) -> None:
    """Write a JSON text to standard output; where its encoding is no Unicode, with escapes, which lose nothing."""
    if not (sys.stdout.encoding or "").lower().startswith("utf"):
        text = re.sub(r"[^\x00-\x7f]", lambda found: json.dumps(found[0])[1:-1], text)
    write_output(text)


def _replacement(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for the characters that could not be encoded, and where to go on, as codecs wants it."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    failed = error.object[error.start : error.end]
    simpler = "".join(_SIMPLER.get(character, "?") for character in failed)
    return simpler, error.end
