"""How many requests may be under way at once: as many as Azure answers, which workers find out by themselves."""

import threading
from collections.abc import Callable
from types import TracebackType

BEGINS = 8
"""How many may be under way at first: each answer allows one more, until the first refusal."""

RECOVERS = 1.0
"""Seconds after which a refusal counts as a new one: those of one burst halve the pace once."""

BREATH = 2.0
"""Seconds for which refusals hold up other requests at most."""


class Pace:
    """Bounds how many requests are under way: half as many after refusals (429), and slowly more while all goes well.

    It begins with few, and doubles them each time all are answered until the most, or the first refusals. One
    subscription that is refused holds up no other: only where several are, they share the limit.

    Workers that share a limit of Azure's come to share it evenly so, as the connections of a network do, and know
    nothing of one another.

    Args:
        most: how many at most.
        clock: returns seconds that never run backwards.
    """

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._allowed = float(min(BEGINS, most))
        self._found_limit = False
        self._refused = ("", float("-inf"))
        self._under_way = 0
        self._halved_at = self._resumes_at = float("-inf")
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """How many may be under way now."""
        return int(self._allowed)

    def went_well(self) -> None:
        """Allow more: one for each answer before any refusal, then one after as many answers as are allowed."""
        with self._changed:
            more = 1 / self._allowed if self._found_limit else 1
            self._allowed = min(self._most, self._allowed + more)
            self._changed.notify()

    def was_refused(self, what: str, seconds: float) -> None:
        """Allow half as many, and never none, and none at all for a moment, where something else was just refused too.

        Args:
            what: what was requested.
            seconds: after how many Azure says to try again.
        """
        with self._changed:
            now = self._clock()
            (before, then), self._refused = self._refused, (what, now)
            if before in ("", what) or now - then >= RECOVERS:
                return
            self._found_limit = True
            self._resumes_at = max(self._resumes_at, now + min(seconds, BREATH))
            if now - self._halved_at >= RECOVERS:
                self._halved_at = now
                self._allowed = max(1.0, self._allowed / 2)

    def __enter__(self) -> None:
        with self._changed:
            while self._under_way >= self.limit or self._clock() < self._resumes_at:
                left = self._resumes_at - self._clock()
                self._changed.wait(left if left > 0 else None)
            self._under_way += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._changed:
            self._under_way -= 1
            self._changed.notify()
