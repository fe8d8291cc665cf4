"""A list of Azure Resource Manager: its pages, and what it may come to."""

from dataclasses import dataclass

MAX_PAGES = 1000
"""How many pages a list may have, where its bounds do not say otherwise."""

MAX_LIST_BYTES = 128 * 1024 * 1024
"""How much all pages of one list may hold, where its bounds do not say otherwise: some lists are kept in memory."""


@dataclass(frozen=True)
class ListBounds:
    """What a list may come to before it is given up as one without end.

    Attributes:
        pages: how many.
        size: bytes of all pages, unpacked.
        deadlines: how many times `Patience.list_deadline` all pages may take.
    """

    pages: int = MAX_PAGES
    size: int = MAX_LIST_BYTES
    deadlines: int = 1


USUAL_BOUNDS = ListBounds()


@dataclass(frozen=True)
class Page:
    """One page of a list, each record as the exact text that was received.

    Attributes:
        number: 1 for the first page.
        request_id: ARM's id of the answer (`x-ms-request-id`), None when it sent none.
        records: the JSON text of each element of `value`.
        is_last: whether the list ends with it.
    """

    number: int
    request_id: str | None
    records: tuple[str, ...]
    is_last: bool
