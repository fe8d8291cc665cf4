"""Files of settings, `NAME=value` a line, as python-dotenv reads them: read with clear errors, changed with care."""

import os
import re
import stat
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.registry import SECRETS
from secscore_pipeline.errors import explain
from secscore_pipeline.system.encodings import EncodingError, read_text
from secscore_pipeline.system.files import write_file
from secscore_pipeline.text import printable

_PLAIN = re.compile(r"[\w./:*,@%+=-]*")
_ASSIGNMENT = re.compile(
    r"(?P<name>\s*(?:export[^\S\r\n]+)?(?:'[^']+'|[^=#\s]+)[^\S\r\n]*)"
    r"(?:=[^\S\r\n]*(?:'(?:\\'|[^'])*'|\"(?:\\\"|[^\"])*\"|[^\r\n]*?))?"
    r"(?P<rest>[^\S\r\n]*(?:(?<=\s)#[^\r\n]*)?(?:\r\n|\n|\r)?)"
)
"""What python-dotenv takes for one setting: its name, its value, and a comment behind it."""


def read_env(path: Path) -> dict[str, str]:
    """Return the settings of a file by name, references to others filled in; none where there is no file.

    Raises:
        SettingsError: it cannot be read, or its encoding is not certain.
    """
    return {name: text for name, text in _read(path)[1].items() if text is not None}


def load_env(path: Path) -> tuple[list[str], list[str]]:
    """Put the settings of a file into the environment, which wins where it has one already.

    Returns:
        Their names, and a sentence for each thing about the file that somebody should change.

    Raises:
        SettingsError: it cannot be read, or its encoding is not certain.
    """
    settings, warnings = read_env(path), []
    for name, text in settings.items():
        if "\0" in text or "\0" in name or not name:
            raise _make_read_error(path, "it holds NUL")
        os.environ.setdefault(name, text)
    holds_secret = any(settings.get(name) for name in SECRETS)
    if holds_secret and path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
        what = f"{printable(str(path))} holds a secret, and every account of this machine can read or change it."
        warnings.append(explain(what, "env-exposed", path=path))
    return list(settings), warnings


def update_env(path: Path, settings: Mapping[str, str]) -> None:
    """Write settings into a file that only its owner can read, whole or not at all.

    Every other line stays as it is, byte for byte, and so does a setting that has that value already.

    Raises:
        SettingsError: the file cannot be read, or a value cannot stand in one.
        FileError: it cannot be written.
    """
    bindings, stored = _read(path)
    changed = {name: text for name, text in settings.items() if stored.get(name) != text}
    last = {binding.key: number for number, binding in enumerate(bindings)}
    lines = []
    for number, binding in enumerate(bindings):
        line = binding.original.string
        if binding.key in changed and last[binding.key] == number:
            line = _set_value(binding, changed[binding.key])
        lines.append(line)
    if lines and changed.keys() - last.keys() and not lines[-1].endswith(("\n", "\r")):
        lines.append("\n")
    lines += [f"{name}={_quote_value(name, text)}\n" for name, text in changed.items() if name not in last]
    write_file(path, "".join(lines))


def env_text(settings: Mapping[str, str]) -> str:
    """Return settings as the text of a file.

    Raises:
        SettingsError: a value cannot stand in one.
    """
    return "".join(f"{name}={_quote_value(name, text)}\n" for name, text in settings.items())


def _read(path: Path) -> tuple[list[Binding], dict[str, str | None]]:
    """Return a file's lines as python-dotenv parts them, and its settings."""
    if not path.exists():
        return [], {}
    if not path.is_file():
        if path.resolve() == Path(os.devnull):
            return [], {}
        raise _make_read_error(path, "it is no file")
    try:
        text = read_text(path)
    except EncodingError as error:
        raise _make_read_error(path, str(error)) from error
    except OSError as error:
        raise _make_read_error(path, error.strerror or type(error).__name__) from error
    bindings = list(parse_stream(StringIO(text, newline="")))  # as they are: CRLF stays CRLF
    return bindings, dotenv_values(stream=StringIO(text, newline=None))


def _make_read_error(path: Path, why: str) -> SettingsError:
    return SettingsError([explain(f"{printable(str(path))} cannot be read as settings: {why}.", "env-unreadable")])


def _set_value(binding: Binding, text: str) -> str:
    """Return a setting's line with another value; what stands before and behind it stays."""
    found = _ASSIGNMENT.fullmatch(binding.original.string)
    written = _quote_value(binding.key or "", text)
    if found is None:
        return f"{binding.key}={written}\n"
    return f"{found['name']}={written}{found['rest']}"


def _quote_value(name: str, text: str) -> str:
    """Return a value as python-dotenv reads it back, and a shell too where it holds no `${`.

    Raises:
        SettingsError: it holds a line break or another control character, or bytes that are no characters.
    """
    if any((character < " " and character != "\t") or "\ud800" <= character <= "\udfff" for character in text):
        raise SettingsError([explain(f"{name} holds a line break or a control character.", "value-unwritable")])
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    # python-dotenv fills in `${…}` in quotes too: a reference to nothing, which stands for a $, says that it is none.
    return f"'{escaped.replace('${', '${:-$}{')}'"
