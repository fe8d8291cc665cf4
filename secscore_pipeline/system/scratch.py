"""Folders that several processes may want: private ones for what is on its way, and locks on them."""

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

log = logging.getLogger(__name__)


@contextmanager
def scratch_folder(beside: Path) -> Iterator[Path]:
    """Make a private folder beside a file, which goes when the block ends.

    Folders that killed processes left there go first: a living one holds a lock on its own. Anything else of such a
    name is passed over.

    Args:
        beside: the file, whether it is there or not.

    Raises:
        OSError: something could not be written there.
    """
    prefix = f"{beside.name}.scratch-"
    for left in list(beside.parent.iterdir()):
        if left.name.startswith(prefix):
            _clear(left)
    with ExitStack() as stack:
        while True:
            made = tempfile.TemporaryDirectory(prefix=prefix, dir=beside.parent, ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(made))
            if stack.enter_context(_try_lock(folder)) and folder.exists():
                break  # else another process took it, before it was locked, for one that was left
        yield folder


def _clear(left: Path) -> None:
    """Delete what a killed process left; what is no folder, or not ours to delete, stays."""
    try:
        with _try_lock(left) as is_ours:
            if is_ours:
                shutil.rmtree(left)
    except OSError as error:
        log.debug("%s is passed over (%s).", left, error)


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Lock a folder against other processes that do the same; whoever has it is waited for."""
    with open_folder(folder) as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _try_lock(folder: Path) -> Iterator[bool]:
    """Hold a lock on a folder; yields False where somebody else holds it. It ends with the process, however.

    Raises:
        OSError: it is a link, or no folder.
    """
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:  # its owner has just cleared it away
        yield False
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


@contextmanager
def open_folder(path: Path) -> Iterator[int]:
    """Open a folder, for locking or flushing it; yields its file descriptor."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)
