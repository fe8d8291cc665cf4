"""Text that somebody else wrote, made fit to be shown: no secret, no control characters, no endless lines."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import unquote

"""What codes and ids of Azure are made of; a code may hold blanks: Subscription Not Registered."""


_MARKS = "\\`*[]<>|!#"
"""The characters that mean something in Markdown."""


def printable(text: str) -> str:
    """Return `text` with everything that a terminal or browser might obey written out as its escape.

    Line ends, escape sequences, NUL and the marks that turn the direction of writing become visible.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def in_markdown(text: str) -> str:
    """Return `text` as it may stand in Markdown: no link, picture, table or HTML comes of it."""
    return "".join(f"\\{mark}" if mark in _MARKS else mark for mark in printable(text))


def count_subscriptions(number: int) -> str:
    """Return how many subscriptions there are in words.

    >>> count_subscriptions(1), count_subscriptions(3)
    ('1 subscription', '3 subscriptions')
    """
    return f"{number} {'subscription' if number == 1 else 'subscriptions'}"


def list_some(names: Sequence[str], most: int) -> str:
    """Return the first names of a list, and how many more there are.

    >>> list_some(["a", "b", "c", "d"], 2)
    'a, b and 2 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


_NEAR, _NEARLY_THE_SAME = 0.6, 0.85
"""How much of two names is the same (0..1) where one may be meant by the other, and where hardly anything else can be.

Source: `difflib.SequenceMatcher.ratio`; 0.6 is what `get_close_matches` takes.
"""


def find_nearest(
    given: str, known: Iterable[str] | Mapping[str, str], *, most: int = 3, is_sure: bool = False
) -> list[str]:
    """Return the names that may be meant by one that there is not, nearest first, whatever their case.

    >>> find_nearest("read_result", ["current_scores", "read_results"])
    ['read_results']

    Args:
        given: what was written.
        known: the names that there are; or what each may be called, and its name.
        most: how many to return.
        is_sure: only names that are nearly the same; else also those that hold what was written.
    """
    names = known if isinstance(known, Mapping) else {name: name for name in known}
    by_lower: dict[str, str] = {}
    for called, name in names.items():
        by_lower.setdefault(called.lower(), name)
    wanted = given.strip().lower()
    near = get_close_matches(wanted, by_lower, n=most, cutoff=_NEARLY_THE_SAME if is_sure else _NEAR)
    if not is_sure and len(wanted) > 2:
        near += sorted((called for called in by_lower if wanted in called), key=len)
    return list(dict.fromkeys(by_lower[called] for called in near))[:most]


def suggest(names: Sequence[str]) -> str:
    """Return the question that follows a sentence about a name that there is not; empty where no name is near.

    >>> suggest(["a", "b", "c"])
    ' Did you mean a, b or c?'

    Args:
        names: what may be meant, as `find_nearest` returns it.
    """
    if not names:
        return ""
    *others, last = map(printable, names)
    return f" Did you mean {', '.join(others)}{' or ' if others else ''}{last}?"


def from_markdown(text: str) -> str:
    """Return the text of which `in_markdown` made this, for whatever renders no Markdown: terminals, logs, alerts.

    >>> from_markdown(in_markdown("forbidden [forbidden]"))
    'forbidden [forbidden]'
    """
    return re.sub(rf"\\([{re.escape(_MARKS)}])", r"\1", text)


GUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")


def describe_value(name: str, text: str, *choices: str) -> str:
    """Return a setting and what was given for it, for the beginning of a message.

    The value itself is shown where it is a GUID, which is an identifier, or nearly one of the words to choose from. Of
    any other it is said how long it is: a secret may stand in the place of another setting.

    >>> describe_value("AZURE_CLOUD", "AzureClout", "AzureCloud")
    'AZURE_CLOUD (10 characters, nearly AzureCloud)'

    Args:
        name: the setting's name.
        text: what was given for it.
        choices: the words that it may hold.
    """
    if GUID.fullmatch(text):
        return f"{name}={text}"
    word = "".join(f", nearly {choice}" for choice in find_nearest(text, choices, most=1, is_sure=True))
    return f"{name} ({len(text)} {'character' if len(text) == 1 else 'characters'}{word})"


_SUFFIXES = {".duckdb", ".db", ".html", ".yaml", ".yml", ".pem", ".crt", ".cer", ".key", ".pfx", ".p12", ".csv", ".env"}
"""How names of files end that may be shown where no such file is: a secret does not end so."""


_FOLDERS = {"data", "exports", "lake"}
"""The folders of the settings' defaults."""


def show_path(path: Path) -> str:
    """Return a path that was given for something, for a message.

    Of a part that is not there, and has neither a suffix of a file nor the name of a default folder, it is said how
    long it is: it may be a secret.

    >>> show_path(Path("/usr/nowhere/scores.duckdb"))
    '/usr/<7 characters>/scores.duckdb'
    """
    try:
        if path.exists() or path == path.parent:
            return printable(str(path))
    except (OSError, ValueError):  # a name that is too long, or holds NUL
        return f"<{len(str(path))} characters>"
    is_plain = path.suffix.lower() in _SUFFIXES or path.name in _FOLDERS
    name = printable(path.name) if is_plain else f"<{len(path.name)} characters>"
    return f"{show_path(path.parent).rstrip('/')}/{name}"


_CONTAINERS = ("abfs", "abfss", "wasb", "wasbs")
"""The schemes of URLs in which what stands before @ is the name of a container."""


def show_url(url: str) -> str:
    """Return a URL as it may be shown: without user, password, query and fragment, in each part of a chained one.

    >>> show_url("simplecache::ftp://me:secret@example.com/x?sig=secret")
    'simplecache::ftp://example.com/x'
    """
    return printable("::".join(_show_part(part) for part in url.split("::")))


def secrets_of_url(url: str) -> tuple[str, ...]:
    """Return what of a URL must not be shown, as it stands there and decoded; the longest first."""
    found = {text for part in url.split("::") for text in _hidden_in(part)}
    found |= {unquote(text) for text in found}
    return tuple(sorted(filter(None, found), key=len, reverse=True))


def _hidden_in(part: str) -> Iterator[str]:
    scheme, user, rest = _split_url(part)
    if scheme not in _CONTAINERS:
        yield user
        yield user.partition(":")[2]
    _, _, query = re.sub("#", "?", rest, count=1).partition("?")
    yield query
    for pair in re.split("[&;]", query):
        yield pair.partition("=")[2]


def _show_part(part: str) -> str:
    if "://" not in part:
        return part
    scheme, user, rest = _split_url(part)
    shown = re.split(r"[?#]", rest)[0]
    return f"{scheme}://{user}@{shown}" if user and ":" not in user and scheme in _CONTAINERS else f"{scheme}://{shown}"


def _split_url(part: str) -> tuple[str, str, str]:
    """Return scheme, user with password, and the rest; a password may hold any character, / too, where it is wrong."""
    scheme, separator, rest = part.partition("://")
    if not separator:
        return "", "", part
    authority = re.split(r"[/?#]", rest)[0]
    is_plain = re.fullmatch(r"[^:]*(:\d*)?|\[.*\](:\d*)?", authority)
    end = authority.rfind("@") if "@" in authority else -1 if is_plain else rest.rfind("@")
    return scheme.lower(), rest[: max(end, 0)], rest[end + 1 :]
