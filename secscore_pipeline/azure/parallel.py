"""Work that is done side by side in threads that no process waits for when it ends."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Generic, TypeVar

from secscore_pipeline.azure.pace import Pace

_CLOSING_SECONDS = 2.0
"""How long threads that must end are waited for: what they wait for ends within half a second."""

_Result = TypeVar("_Result")


class _MorePlaces:
    """Stands among the results where more work may begin."""


def run_side_by_side(
    work: Iterable[Callable[[], _Result]], pace: Pace, stop: Callable[[], object]
) -> Iterator[_Result]:
    """Yield the result of each piece of work as it ends; no more than the pace has places for are under way.

    Args:
        work: what is to be done, taken in this thread when there is a place for it; what is under way goes on
            meanwhile, however long that takes.
        pace: how much may be under way, now and later.
        stop: makes what is under way end; called where one raises, or nobody takes the results any more.

    Raises:
        BaseException: what a piece of work raised, or what yields the work.
    """
    waiting = iter(work)
    workers: _Workers[_Result] = _Workers()
    running, is_more = 0, True
    try:
        with pace.calls_on_more(workers.wake):
            while True:
                while is_more and running < pace.places:
                    piece = next(waiting, None)
                    if piece is None:
                        is_more = False
                    else:
                        workers.submit(piece)
                        running += 1
                if not running:
                    return
                result = workers.next_result()
                if not isinstance(result, _MorePlaces):
                    yield result
                    running -= 1
    except BaseException:
        stop()
        raise
    finally:
        workers.close()


def begin(work: Callable[[], _Result]) -> "Future[_Result]":
    """Begin a piece of work in a thread of its own, beside whatever the caller goes on with; no process waits for it.

    Args:
        work: what is to be done.

    Returns:
        What gives its result, or raises what it raised, as often as it is asked.
    """
    future: Future[_Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where the result is read
            future.set_exception(error)

    threading.Thread(target=run, name="arm-background", daemon=True).start()
    return future


class _Workers(Generic[_Result]):
    """Threads that work side by side, as many as were ever busy at once.

    `ThreadPoolExecutor` would have a process that got a signal to stop wait for a connection that is being made.
    """

    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[], _Result] | None] = SimpleQueue()
        self._results: SimpleQueue[_Result | BaseException | _MorePlaces] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._busy = 0

    def submit(self, work: Callable[[], _Result]) -> None:
        """Have a thread do this work."""
        self._busy += 1
        if self._busy > len(self._threads):
            thread = threading.Thread(target=self._run, name=f"arm-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._work.put(work)

    def wake(self) -> None:
        """Have `next_result` return, since more work may begin."""
        self._results.put(_MorePlaces())

    def next_result(self) -> _Result | _MorePlaces:
        """Wait for the next work that is done, and return its result, or raise what it raised."""
        result = self._results.get()
        if isinstance(result, _MorePlaces):
            return result
        self._busy -= 1
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
