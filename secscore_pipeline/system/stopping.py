"""Stopping by SIGINT (Ctrl-C) or SIGTERM: at once where that is possible, and within GRACE seconds in any case.

Python runs a signal's handler in the main thread, between two of its own instructions: not while that thread waits in
C code, and Dagster puts handlers of its own in the place of others while a job runs. So a thread of its own learns of
each signal (`signal.set_wakeup_fd`), interrupts what runs, and ends the process if it does not.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType

GRACE = 2.5
"""Seconds that a process has to end by itself after a signal; every write is a transaction or a replaced file."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

Callback = Callable[[], object]


class _Interrupt(KeyboardInterrupt):
    """Ends what the main thread does.

    Of the class itself Python remembers that code which was made at run time let it through, such as a data class's: it
    would then end by SIGINT, whatever the exit code.
    """


class _State:
    """What this process knows of being stopped."""

    def __init__(self) -> None:
        self.received: int | None = None
        self.requested = threading.Event()
        self.callbacks: list[Callback] = []
        self.last_acts: list[Callback] = []
        self.signals = frozenset(_SIGNALS)
        self.is_watching = False
        self.reader: socket.socket | None = None
        self.writer: socket.socket | None = None


_state = _State()


def is_requested() -> bool:
    """Return whether this process got a signal to stop."""
    if not _state.requested.is_set() and _state.reader is not None:
        # On a busy machine the thread that is to note a signal may not have run yet.
        with suppress(BlockingIOError):
            for number in _state.reader.recv(64, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                _note(number)
    return _state.requested.is_set()


def exit_code() -> int:
    """Return the exit code of a process that got a signal to stop: 128 and the signal's number, as shells have it."""
    return 128 + (_state.received or signal.SIGINT)


def watch() -> None:
    """Watch for signals from now on; once is enough. It takes the main thread: in another one nothing happens."""
    if _state.is_watching or threading.current_thread() is not threading.main_thread():
        return
    _state.is_watching = True
    sys.unraisablehook = partial(_report_unraisable, sys.unraisablehook)
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # a shell's background job is not the terminal's to stop
            signal.signal(number, _interrupt)
    _watch_wakeups()


def watch_run(end_run: Callback) -> None:
    """Watch for signals in the process that Dagster started for a run, and for the end of the process it belongs to.

    Args:
        end_run: notes that the run was stopped, where it cannot end by itself in time.
    """
    from multiprocessing import parent_process  # 15 ms, for a process that Dagster started

    parent = parent_process()
    if parent is None or _state.is_watching or threading.current_thread() is not threading.main_thread():
        return
    _state.is_watching = True  # with Dagster's own handlers, which are there already
    _state.last_acts.append(end_run)
    _watch_wakeups()

    def follow() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, name="follow-parent", daemon=True).start()


def hand_over() -> None:
    """Leave signals to a library that handles them itself, such as a server."""
    signal.set_wakeup_fd(-1)
    for number in _SIGNALS:
        if signal.getsignal(number) is _interrupt:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    _state.is_watching = False


@contextmanager
def calls_on_stop(callback: Callback) -> Iterator[None]:
    """Have a function called, by another thread, when the process gets a signal to stop during the block.

    Args:
        callback: makes what the block does end soon; it returns at once.
    """
    with _add_callback(_state.callbacks, callback):
        yield


@contextmanager
def act_before_end(act: Callback) -> Iterator[None]:
    """Have a function called before a process that does not end in time is ended during the block."""
    with _add_callback(_state.last_acts, act):
        yield


@contextmanager
def handle_interrupts() -> Iterator[None]:
    """Leave SIGINT to the block, as a prompt does, where Ctrl-C clears the line. SIGTERM stops the process as ever."""
    before, _state.signals = _state.signals, frozenset({signal.SIGTERM})
    try:
        yield
    finally:
        _state.signals = before


@contextmanager
def _add_callback(callbacks: list[Callback], callback: Callback) -> Iterator[None]:
    callbacks.append(callback)
    try:
        yield
    finally:
        callbacks.remove(callback)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    _note(number)
    raise _Interrupt


def _report_unraisable(
    report: Callable[["sys.UnraisableHookArgs"], object], unraisable: "sys.UnraisableHookArgs"
) -> None:
    """Report an exception that Python cannot raise where it happened, such as in a destructor, as it was before.

    An interrupt that came there is lost, and no failure: the signal is noted, and the process ends all the same.
    """
    if not isinstance(unraisable.exc_value, _Interrupt):
        report(unraisable)


def _note(number: int) -> bool:
    """Note that the process is to stop, where a signal is one that stops it; return whether it is."""
    if number not in _state.signals:
        return False
    _state.received = _state.received or number
    _state.requested.set()
    return True


def _watch_wakeups() -> None:
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    _state.reader, _state.writer = reader, writer
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_receive, args=(reader,), name="stop", daemon=True).start()


def _receive(reader: socket.socket) -> None:
    """Wait for a signal that stops the process, interrupt what runs, and end the process if it does not in time."""
    while not _note(reader.recv(1)[0]):
        pass
    for callback in list(_state.callbacks):
        with suppress(Exception):  # what it was to end has ended meanwhile
            callback()
    reader.settimeout(GRACE)
    try:
        reader.recv(1)  # a second signal: it is not waited any longer
    except TimeoutError:
        _act_last()
    os._exit(exit_code())


def _act_last() -> None:
    """Do what is to be done before a process ends that did not end by itself, and say so, whatever fails at it."""
    try:
        for act in list(_state.last_acts):
            act()
        sys.stderr.write("Stopped before the current step could end. What was stored before is whole.\n")
        sys.stderr.flush()
    finally:
        os._exit(exit_code())
