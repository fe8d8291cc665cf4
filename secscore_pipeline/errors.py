"""Errors that say what happened and what to do, in the words of the catalogue."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from secscore_pipeline.error_catalogue import FAILURES, PASSING

LEFT_TO_READER: Mapping[str, str] = MappingProxyType(
    {
        "object_id": "<object ID of the service principal>",
        "scope": "/subscriptions/<subscription ID>",
        "subscription_id": "<subscription ID>",
    }
)
"""What stands in a command where Azure's answer did not name it: the reader fills it in."""


def may_pass(message: str) -> bool:
    """Return whether an error message, which ends with the name of its failure, is of one that may be gone later."""
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
    begins = FAILURES[named[1]].resolution.partition("{")[0]
    at = message.rfind(begins) if begins else -1
    return message[at:] if at >= 0 else message


class _ResolutionValues(dict[str, object]):
    """Fills in `<name>` for what an error does not know."""

    def __missing__(self, key: str) -> str:
        return LEFT_TO_READER.get(key, f"<{key.replace('_', ' ')}>")


def describe_resolution(name: str, **known: object) -> str:
    """Return what to do about a failure.

    Args:
        name: its name in the catalogue.
        known: what its resolution has places for; a place without a value keeps its name in angle brackets, as in the
            docs.
    """
    given = {key: value for key, value in known.items() if value is not None}
    return FAILURES[name].resolution.format_map(_ResolutionValues(given))


def explain(what: str, name: str, **known: object) -> str:
    """Return a whole message: what happened, what to do, and the failure's entry in docs/troubleshooting.md.

    Args:
        what: one sentence that says what happened.
        name: the failure's name in the catalogue.
        known: what its resolution has places for.
    """
    return f"{what} {describe_resolution(name, **known)} [{name}]"


class ExplainedError(Exception):
    """An error that a person may read as it is: each of its messages says what happened and what to do.

    The command line prints them in one place; nothing else that is raised reaches a person.

    Args:
        problems: the whole messages, one for each thing that is wrong.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


class FailureError(ExplainedError):
    """An error that is one failure of the catalogue.

    Args:
        what: one sentence that says what happened.
        failure: its name in the catalogue, which says what to do about it.
        known: what the resolution has places for.
    """

    def __init__(self, what: str, failure: str, **known: object) -> None:
        super().__init__([explain(what, failure, **known)])
        self.failure = failure
