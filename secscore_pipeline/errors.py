"""Errors that say what happened and what to do, in the words of the catalogue."""

import re

from secscore_pipeline.error_catalogue import FAILURES, PASSING


def may_pass(message: str) -> bool:
    """Tell whether an error message, which ends with the name of its failure, is of one that may be gone later."""
    name = re.search(r"\[([a-z-]+)\]$", message)
    return name is not None and name[1] in PASSING


def resolution_of(message: str) -> str:
    """Return the part of a whole message that says what to do, with its entry; the message where it holds none.

    >>> resolution_of("There is no database. Run `secscore sync` first. [database-absent]")
    'Run `secscore sync` first. [database-absent]'
    """
    named = re.search(r"\[([a-z-]+)\]$", message)
    if named is None or named[1] not in FAILURES:
        return message
    begins = FAILURES[named[1]].cure.partition("{")[0]
    at = message.rfind(begins) if begins else -1
    return message[at:] if at >= 0 else message


class _Named(dict[str, object]):
    """Fills in `<name>` for what an error does not know."""

    def __missing__(self, key: str) -> str:
        return f"<{key.replace('_', ' ')}>"


def cure(name: str, **known: object) -> str:
    """Return what to do about a failure, with what is known filled in."""
    return FAILURES[name].cure.format_map(_Named({key: value for key, value in known.items() if value is not None}))


class ExplainedError(Exception):
    """An error whose message says what happened and what to do.

    Args:
        what: one sentence that says what happened.
        failure: its name in the catalogue of failures, which says what to do about it.
        known: what the resolution has places for.
    """

    def __init__(self, what: str, failure: str, **known: object) -> None:
        super().__init__(explained(what, failure, **known))
        self.failure = failure


def explained(what: str, name: str, **known: object) -> str:
    """Return a whole message: what happened, what to do, and the failure's entry in docs/troubleshooting.md."""
    return f"{what} {cure(name, **known)} [{name}]"
