"""Publishes the store for readers: a copy replaces the published file once it is proven whole and lacks nothing."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import copyfile
from typing import NamedTuple

import duckdb

from secscore_pipeline.system.scratch import lock_folder
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.blocks import blocks_agree, is_whole
from secscore_pipeline.warehouse.connection import (
    holds_something,
    make_folder,
    open_for_reading,
    open_for_writing,
    put_in_place,
    scratch_folder,
)
from secscore_pipeline.warehouse.errors import WarehouseError, make_damage_error
from secscore_pipeline.warehouse.schema import applied_migrations
from secscore_pipeline.warehouse.statements import quote_literal
from secscore_pipeline.warehouse.store import compact

log = logging.getLogger(__name__)

READABLE = 0o400
"""The permissions of a published file: what somebody wrote into it would be gone with the next one."""


class Publication(NamedTuple):
    """What came of publishing.

    Attributes:
        size: of the published file, in bytes.
        warnings: a sentence for each thing that somebody should know.
    """

    size: int
    warnings: tuple[str, ...] = ()


def publish(path: Path, published: Path, keep: int = 0) -> Publication:
    """Put a copy of the store in the place of the published one, in one step.

    Readers of the published file finish undisturbed with what they opened; who opens it later sees the whole copy.
    Before that, every block of the copy is compared with its checksum, and searched for what the published file
    holds.

    Args:
        path: the store; nobody writes it meanwhile.
        published: the file for readers; one that is not there is made.
        keep: how many of the published files before it are kept beside it.

    Raises:
        WarehouseError: the store is locked by another process, is damaged, or lacks what the published file
            holds; there is no room; or `published` is a file of something else. The published file stays as it was.
    """
    make_folder(published.parent)
    target = published.resolve()
    with _explain_failures(path, published), scratch_folder(target) as folder, lock_folder(target.parent):
        copy = folder / "copy.duckdb"
        _copy_whole(path, copy)
        warnings = _refuse_loss(path, copy, published, folder)
        warnings += _keep(published, target, keep)
        # What a reader that was allowed to write has left there belongs to the file that goes.
        Path(f"{target}.wal").unlink(missing_ok=True)
        size = put_in_place(copy, target, READABLE)
    return Publication(size, tuple(warnings))


def start_from_published(path: Path, published: Path) -> None:
    """Make a store that is not there yet from the published one, where there is one: nothing of it is lost.

    Raises:
        WarehouseError: the published file cannot be read, is damaged, or is a file of something else.
    """
    if holds_something(path) or not holds_something(published):
        return
    make_folder(path.parent, "SECSCORE_WORK_DATABASE")  # what is published has its folder
    _refuse_other(published)
    target = path.resolve()
    with scratch_folder(target) as folder:
        copy = folder / "copy.duckdb"
        copyfile(published, copy)
        if not is_whole(copy):
            raise make_damage_error(published)
        copy.chmod(0o600)
        with lock_folder(target.parent):
            if holds_something(path):  # another process was quicker, and its file is as good
                return
            # The log of the file that is gone: DuckDB would replay it into the copy.
            Path(f"{path}.wal").unlink(missing_ok=True)
            put_in_place(copy, target)


def refuse_behind(path: Path, published: Path) -> None:
    """Raise where the store lacks what the published file holds: better known before something is read than after.

    Raises:
        WarehouseError: names both, and what is missing.
    """
    if not (holds_something(path) and holds_something(published)):
        return
    with open_for_writing(path, reachable=_list_attached_files(published)) as connection:
        try:
            missing = _list_missing(connection, published)
        except duckdb.Error as error:  # locked, damaged or older: what publishes checks it more closely
            log.debug("%s was not compared (%s).", published, error)
            missing = []
            _refuse_other(published)
    if missing:
        raise _make_behind_error(path, published, published, missing)


def list_kept_files(published: Path) -> list[Path]:
    """Return the published files before the published one that are kept, the newest first."""
    found, published = [], published.resolve()
    for file in published.parent.iterdir():
        number = file.name.removeprefix(f"{published.stem}.previous-").removesuffix(published.suffix)
        if number.isdecimal() and file == _kept_file(published, int(number)):
            found.append((int(number), file))
    return [file for _, file in sorted(found)]


def _kept_file(published: Path, number: int) -> Path:
    return published.with_name(f"{published.stem}.previous-{number}{published.suffix}")


def _refuse_other(published: Path) -> None:
    """Raise where a file to be replaced is not ours; one that cannot be read, since it is locked, is ours."""
    if not holds_something(published):
        return
    try:
        with open_for_reading(published, lock_patience=0) as connection:
            is_ours = bool(applied_migrations(connection))
    except WarehouseError as error:
        if error.failure not in ("database-held", "database-damaged"):
            raise
        return
    if not is_ours:
        raise WarehouseError(
            f"{published} is a DuckDB file of something else; it was left as it is.", "database-foreign"
        )


def _copy_whole(path: Path, copy: Path) -> None:
    """Copy a store, proven block by block. Where a block is not, the store is written anew from what can be read.

    Raises:
        WarehouseError: something cannot be read.
    """
    for is_last in (False, True):
        with open_for_writing(path) as connection:
            connection.execute("checkpoint")
            copyfile(path, copy)
        if is_whole(copy):
            return
        if is_last:
            raise make_damage_error(path)
        compact(path)  # reads every row that there is; a block that nothing uses is gone afterwards


def _refuse_loss(path: Path, copy: Path, published: Path, folder: Path) -> list[str]:
    """Raise where the published file holds what its successor lacks; return a sentence for each that was not compared.

    A published file that is damaged says nothing: the newest of the kept ones that can be read speaks for it.
    """
    warnings: list[str] = []
    candidates = (published, *list_kept_files(published)) if published.exists() else ()
    for file in filter(holds_something, candidates):
        with open_for_reading(copy, reachable=[folder, *_list_attached_files(file)]) as connection:
            missing = _missing_or_copied(connection, file, folder)
        if missing is None:
            warnings.append(f"{file} cannot be read, and was not compared with what takes its place.")
            continue
        if missing:
            raise _make_behind_error(path, file, published, missing)
        break
    return warnings


def _missing_or_copied(connection: duckdb.DuckDBPyConnection, published: Path, folder: Path) -> list[str] | None:
    """Return what a file holds and the store lacks; one that is locked, or older, is copied to read it.

    Returns:
        None where it cannot be read.

    Raises:
        WarehouseError: it is a file of something else, or of a newer version.
    """
    try:
        return _list_missing(connection, published)
    except duckdb.Error as error:
        log.debug("%s cannot be compared as it is (%s).", published, error)
    _refuse_other(published)
    try:
        copy = folder / "compared.duckdb"
        copyfile(published, copy)
        with open_for_writing(copy):
            pass  # brought up to date
        return _list_missing(connection, copy)
    except (duckdb.Error, WarehouseError) as error:
        log.debug("%s cannot be compared (%s).", published, error)
        return None


def _list_attached_files(path: Path) -> list[Path]:
    """Return what DuckDB must reach to attach a file: the file and its log."""
    return [path, Path(f"{path}.wal")]


def _list_missing(connection: duckdb.DuckDBPyConnection, published: Path) -> list[str]:
    """Return what a published file holds and the store of a connection lacks, a phrase for each kind of thing."""
    connection.execute(f"attach {quote_literal(str(published))} as secscore_published (read_only)")
    try:
        rows = connection.execute(load_sql("warehouse/list_missing_fetches")).fetchall()
    finally:
        connection.execute("detach secscore_published")
    return [f"{count:,} {what}{f' ({detail})' if detail else ''}" for what, count, detail in rows]


def _make_behind_error(path: Path, file: Path, published: Path, missing: list[str]) -> WarehouseError:
    lacks = "; ".join(missing)
    what = f"{path}, which runs write, lacks what {file} holds for readers: {lacks}. Neither was changed."
    return WarehouseError(what, "store-behind", work=path, published=published)


def _keep(published: Path, target: Path, keep: int) -> list[str]:
    """Keep the published file beside its successor, with as many before it as are wanted.

    One that is damaged is none of the good ones: it is put aside, and the sentence that is returned says so.
    """
    warnings = []
    if holds_something(target):
        if not blocks_agree(target):
            aside = target.with_name(f"{target.stem}.damaged{target.suffix}")
            _keep_as(target, aside)
            warnings.append(f"{published} is damaged: it is kept as {aside}, and a whole one takes its place.")
        elif keep:
            _rotate(target, keep)
    for surplus in list_kept_files(target)[keep:]:
        surplus.unlink()
    return warnings


def _rotate(published: Path, keep: int) -> None:
    """Keep the published file under a name of its own too, and the ones before it under the next ones."""
    newest = _kept_file(published, 1)
    if newest.exists() and newest.samefile(published):
        return  # a process was killed between keeping it and replacing it
    for number in range(keep - 1, 0, -1):
        with suppress(FileNotFoundError):
            _kept_file(published, number).replace(_kept_file(published, number + 1))
    _keep_as(published, newest)


def _keep_as(file: Path, name: Path) -> None:
    """Give a file a second name, in place of whatever has it; a copy where the file system knows no second names."""
    name.unlink(missing_ok=True)
    try:
        os.link(file, name)
    except OSError as error:
        log.debug("%s is copied, not linked (%s).", file, error)
        copyfile(file, name)
        name.chmod(READABLE)


@contextmanager
def _explain_failures(path: Path, published: Path) -> Iterator[None]:
    """Say of a failure to write what is stored, what readers have, and what to do."""
    try:
        yield
    except WarehouseError as error:
        if error.failure != "database-unwritable":
            raise
        raise _make_publishing_error(path, published, error) from error
    except OSError as error:
        raise _make_publishing_error(path, published, error) from error


def _make_publishing_error(path: Path, published: Path, error: Exception) -> WarehouseError:
    cause = error.__cause__ or error
    said = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause).splitlines()[0]
    readers = "readers have the one before" if holds_something(published) else "there is none for readers yet"
    what = f"What was read is stored in {path}, but {published} could not be written ({said}): {readers}."
    return WarehouseError(what, "not-published", published=published)
