"""Patterns of names: `*` and `?` stand for any characters, and every other character, brackets too, for itself."""

import unicodedata
from collections.abc import Container
from fnmatch import fnmatchcase


def normalize_name(text: str) -> str:
    """Return the one spelling under which names are compared: without regard to case, and to how accents are coded."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def fits_pattern(text: str, pattern: str, names: Container[str] = ()) -> bool:
    """Return whether a name or id fits a pattern.

    A pattern that is itself a name means that name: subscriptions may be called `What?` and `prod*`. Nothing but
    wildcards means every name all the same.

    >>> fits_pattern("[PROD] Web", "[prod]*")
    True
    >>> fits_pattern("Payments", "[prod]*")
    False
    >>> fits_pattern("Whats", "What?", {"what?"})
    False

    Args:
        text: the name or id.
        pattern: what it is compared with.
        names: all names that there are, as `normalize_name` spells them.
    """
    normalized = normalize_name(pattern)
    if normalized in names and normalized.strip("*?"):
        return normalize_name(text) == normalized
    return fnmatchcase(normalize_name(text), normalized.replace("[", "[[]"))  # its classes of characters are none here
