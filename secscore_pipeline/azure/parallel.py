"""Work that is done side by side in threads that no process waits for when it ends."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from queue import SimpleQueue
from typing import Generic, TypeVar

_CLOSING_SECONDS = 2.0
"""How long threads that must end are waited for: what they wait for ends within half a second."""

_Result = TypeVar("_Result")


def run_side_by_side(
    work: Iterable[Callable[[], _Result]], count: int, stop: Callable[[], object]
) -> Iterator[_Result]:
    """Yield the result of each piece of work as it ends; no more than `count` are in memory at once.

    Args:
        work: what is to be done, taken as threads get free.
        count: how many threads.
        stop: makes what is under way end; called where one raises, or nobody takes the results any more.

    Raises:
        BaseException: what a piece of work raised.
    """
    waiting = iter(work)
    workers: _Workers[_Result] = _Workers(count)
    running = 0
    try:
        while True:
            for piece in islice(waiting, count - running):
                workers.submit(piece)
                running += 1
            if not running:
                return
            yield workers.next_result()
            running -= 1
    except BaseException:
        stop()
        raise
    finally:
        workers.close()


class _Workers(Generic[_Result]):
    """Threads that work side by side.

    `ThreadPoolExecutor` would have a process that got a signal to stop wait for a connection that is being made.

    Args:
        count: how many threads.
    """

    def __init__(self, count: int) -> None:
        self._work: SimpleQueue[Callable[[], _Result] | None] = SimpleQueue()
        self._results: SimpleQueue[_Result | BaseException] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"arm-{number}", daemon=True) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[], _Result]) -> None:
        """Have a thread do this work."""
        self._work.put(work)

    def next_result(self) -> _Result:
        """Wait for the next work that is done, and return its result, or raise what it raised."""
        result = self._results.get()
        if isinstance(result, BaseException):
            raise result
        return result

    def close(self) -> None:
        """End the threads when they have done what they are at; wait for that, but not for ever."""
        for _ in self._threads:
            self._work.put(None)
        ends_at = time.monotonic() + _CLOSING_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, ends_at - time.monotonic()))

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                self._results.put(work())
            except BaseException as error:  # noqa: BLE001 - raised where the result is read
                self._results.put(error)
