"""Files that are written for people: in one step, owner-only, through links, and never over a file of somebody else."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from secscore_pipeline.errors import FailureError
from secscore_pipeline.system.scratch import scratch_folder
from secscore_pipeline.text import printable

_HEAD = 4_096
"""In how many bytes at a file's beginning a mark is searched for."""


class FileError(FailureError):
    """A file cannot be written: the message says why and what to do."""


def follow_link(path: Path) -> Path:
    """Return what a link leads to, whether it is there or not; any other path as it is."""
    return path.resolve() if path.is_symlink() else path


def is_replaceable(path: Path, marks: Sequence[str]) -> bool:
    """Return whether nothing of somebody else is lost where a file is replaced.

    Args:
        path: the file; a link stands for what it leads to.
        marks: texts of which a file of ours has one near its beginning.
    """
    if not path.exists():
        return True
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return not head or any(mark.encode() in head for mark in marks)


def replace_file(path: Path, text: str, marks: Sequence[str] = (), failure: str = "file-unwritable") -> None:
    """Write a file in one step, for its owner alone. A link stays a link: what it leads to is written.

    Args:
        path: where to; a missing folder is made.
        text: the new content.
        marks: texts of which a file of ours has one near its beginning; without any, no file is replaced.
        failure: what it is called in the catalogue of failures where nothing can be written there.

    Raises:
        FileError: there is a file of somebody else, or nothing can be written there.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        if not is_replaceable(path, marks):
            raise FileError(f"{printable(str(path))} is there already, and is no file of ours.", "file-foreign")
    except OSError as error:
        raise _make_write_error(path, error, failure) from error
    write_file(path, text, failure)


def refuse_unwritable(path: Path, failure: str = "file-unwritable") -> None:
    """Raise where a file could not be written: better known before somebody has answered what is to stand in it.

    Raises:
        FileError: names the file and the reason.
    """
    target = follow_link(path)
    there = next(folder for folder in target.absolute().parents if folder.exists())
    if not there.is_dir():
        raise _make_write_error(path, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)), failure)
    if not os.access(there, os.W_OK | os.X_OK):
        raise _make_write_error(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)), failure)


def write_file(path: Path, text: str, failure: str = "file-unwritable") -> None:
    """Write a file in one step, for its owner alone, whatever was there. A link stays a link.

    Raises:
        FileError: nothing can be written there.
    """
    target = follow_link(path)
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with scratch_folder(target) as folder:
            new = folder / target.name
            new.touch(mode=0o600)
            new.write_text(text, encoding="utf-8")
            new.replace(target)
    except OSError as error:
        raise _make_write_error(path, error, failure) from error


def _make_write_error(path: Path, error: OSError, failure: str) -> FileError:
    reason = error.strerror or type(error).__name__
    return FileError(f"{printable(str(path))} cannot be written ({reason}).", failure)
