"""How many requests are under way at once: as many as Azure answers as quickly as before, which a client finds out."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType

BEGINS = 32
"""How many may be under way at first, where the most is eight times as many or more; else an eighth of the most.

Each answer allows one more, until answers slow down or are refused."""

SIGNS = 6
"""How many refusals are a sign of a limit, where answers in between do not make up for them."""

FORGIVES = 1 / 16
"""What part of a refusal an answer makes up for: Azure refuses a few of very many requests without any limit."""

RECOVERS = 1.0
"""Seconds after which refusals may lower the pace again: those of one burst lower it once."""

BREATH = 2.0
"""Seconds for which refusals hold up other requests at most."""

REGAINS = 20.0
"""Seconds in which the pace grows by half of what it was before it shrank: about what it lost."""

LEFT = 0.4
"""What is left of the pace after refusals. Half, as of a network's, may still be too much: of fewer requests, each is
answered sooner."""

USED = 0.75
"""How much of the pace must be under way for it to grow: with fewer, the limit lies elsewhere, as in this machine."""

SLOWER = 2.0
"""How many times as long as before answers take where too many are under way."""

EASES = 0.8
"""What is left of the pace where answers have become slower; half of it after the round that has doubled it."""


@dataclass
class _Latency:
    """How long answers of one kind take.

    Attributes:
        usual: the mean of the quickest round, in seconds; infinite before the first one ended.
        total: the seconds of the answers of this round.
        count: how many they are.
    """

    usual: float = float("inf")
    total: float = 0.0
    count: int = 0

    def add(self, seconds: float) -> bool:
        """Count an answer; return whether it ends a round, of BEGINS, that was much slower than the quickest one.

        Args:
            seconds: how long it took.
        """
        self.total += seconds
        self.count += 1
        if self.count < BEGINS:
            return False
        mean = self.total / self.count
        self.total, self.count = 0.0, 0
        is_slower = mean > SLOWER * self.usual
        self.usual = min(self.usual, mean)
        return is_slower


class Pace:
    """Bounds how many requests are under way: additive increase, multiplicative decrease.

    It begins with few and doubles with each round of answers, until the most, the first sign of a limit, or answers
    that take SLOWER times as long: then more requests only wait in line. It shrinks a little where answers are slow,
    and to LEFT of what is under way after refusals (429). In REGAINS seconds it grows by half of what it was before
    that, and goes on at that speed, but only while it is used. One subscription that is refused holds up no other:
    only where several are, they share the limit. Single refusals among many answers are no sign of one.

    Workers that share a limit of Azure's come to share it evenly so, as the connections of a network do, and know
    nothing of one another.

    Source: slow start and congestion avoidance of RFC 5681, growth by time instead of by answers as in CUBIC (RFC
    9438), none where the pace is not used (RFC 7661); latency as a sign of congestion as in TCP Vegas (Brakmo,
    Peterson 1995), compared in rounds, since Azure's answers vary.

    Args:
        most: how many at most.
        clock: returns seconds that never run backwards.
    """

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._least = max(1, min(BEGINS, most // 8))
        self._allowed = float(self._least)
        self._regain: float | None = None
        self._latencies: dict[str, _Latency] = {}
        self._signs, self._refused = 0.0, ""
        self._under_way = self._pausing = 0
        self._grown_at = self._lowered_at = self._heeded_at = self._resumes_at = float("-inf")
        self._changed = threading.Condition()
        self._callbacks: list[Callable[[], object]] = []

    @property
    def limit(self) -> int:
        """How many may be under way now."""
        return int(self._allowed)

    @property
    def places(self) -> int:
        """How many pieces of work may have begun: one that waits for its next try holds up no other."""
        return self.limit + min(self._pausing, self._most)

    @contextmanager
    def calls_on_more(self, callback: Callable[[], object]) -> Iterator[None]:
        """Have a function called, by any thread, when there are more places, during the block."""
        self._callbacks.append(callback)
        try:
            yield
        finally:
            self._callbacks.remove(callback)

    @contextmanager
    def pauses(self) -> Iterator[None]:
        """Give the place of a piece of work to another one for the length of the block, since it only waits."""
        with self._changed:
            self._pausing += 1
        self._announce_more()
        try:
            yield
        finally:
            with self._changed:
                self._pausing -= 1

    def was_answered(self, kind: str, seconds: float) -> None:
        """Allow more: one for each answer before any sign of a limit, then a little for each second.

        Args:
            kind: what was requested; answers of one kind take about the same time.
            seconds: how long it took.
        """
        with self._changed:
            before, now = self.limit, self._clock()
            self._signs = max(0.0, self._signs - FORGIVES)
            is_slower = self._latencies.setdefault(kind, _Latency()).add(seconds)
            # What was requested before the pace was lowered says nothing of it as it is now.
            if is_slower and now - self._lowered_at >= seconds:
                eased = self._allowed * (0.5 if self._regain is None else EASES)
                self._lower(max(min(self._allowed, self._least), eased))
            elif self._under_way + 1 > USED * before:  # this one is not any more
                self._allowed = min(self._most, self._allowed + self._more(now))
            self._grown_at = now
            is_more = self.limit > before
            if is_more:
                self._changed.notify()
        if is_more:
            self._announce_more()

    def was_refused(self, what: str, seconds: float) -> None:
        """Allow fewer, at least one, and none at all for a moment, where refusals are a sign of a limit.

        Args:
            what: which subscription was requested; that it is refused again is no sign for others.
            seconds: after how many Azure says to try again.
        """
        with self._changed:
            now = self._clock()
            if what == self._refused:
                return
            self._refused = what
            self._signs += 1
            if self._signs < SIGNS or now - self._heeded_at < RECOVERS:
                return
            self._signs, self._heeded_at = 0.0, now
            self._resumes_at = now + min(seconds, BREATH)
            self._allowed = min(self._allowed, self._under_way + 1)  # what was not used is not regained
            self._lower(max(1.0, LEFT * self._allowed))

    def _more(self, now: float) -> float:
        """Return by how much an answer raises the pace."""
        if self._regain is None:
            return 1.0
        return self._regain * (now - self._grown_at)

    def _lower(self, allowed: float) -> None:
        self._regain = self._allowed / 2 / REGAINS
        self._allowed = allowed
        self._lowered_at = self._grown_at = self._clock()

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

    def _announce_more(self) -> None:
        for callback in tuple(self._callbacks):
            callback()
