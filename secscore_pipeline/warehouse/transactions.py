"""Transactions: all of the work or nothing of it; and where several processes write, one after the other."""

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import duckdb

from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.statements import execute

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")

TRIES = 10
"""How often work is done again that clashed with another process's; the write lock makes that rare."""

PATIENCE = "30min"
"""How long the write lock is waited for, as PostgreSQL writes a time."""

_LOCK = 994_020_01
"""The number of the advisory lock of the writers of one catalog."""


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection, *, is_first: bool = False) -> Iterator[None]:
    """Run the block in one transaction: all of it is stored, or nothing.

    Where several processes write, it begins when it has the write lock. A row that each transaction changes makes two
    clash where there is no lock, or where it was lost: numbers are given from what the store holds, so two
    at once would give the same. `retry_on_clash` does such a block again.

    Args:
        connection: open for writing.
        is_first: whether it may be the one that makes that row.
    """
    catalog = shared_catalog(connection)
    with hold_write_lock(connection):
        connection.execute("begin transaction")
        try:
            if catalog and not is_first:
                connection.execute(load_sql("warehouse/take_lock"))
            yield
        except BaseException:
            try:
                connection.execute("rollback")
            except duckdb.Error:  # a database that has just failed to write accepts nothing more; it is as before
                log.debug("nothing left to roll back", exc_info=True)
            raise
        connection.execute("commit")


def retry_on_clash(work: Callable[[], _Result]) -> _Result:
    """Do work of which all is stored or nothing; again, after a while, where another process wrote just then too."""
    pause = 0.1
    for left in reversed(range(TRIES)):
        try:
            return work()
        except duckdb.Error as error:
            if not left or not _is_clash(error):
                raise
            log.info("Another process wrote at the same time: done again (%s).", str(error).splitlines()[-1])
        time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not cryptography
        pause = min(2 * pause, 5.0)
    raise AssertionError("the last try returns or raises")


def _is_clash(error: duckdb.Error) -> bool:
    """Return whether an error says that another process wrote at the same time, or made the lake at the same time."""
    text = str(error).lower()
    if isinstance(error, duckdb.TransactionException):
        return "conflict" in text
    return "initialize ducklake" in text and ("duplicate key" in text or "already exists" in text)


def shared_catalog(connection: duckdb.DuckDBPyConnection) -> str | None:
    """Return what kind of catalog (`postgres`, …) the store shares with other processes; None for a file."""
    row = connection.execute("select getvariable('catalog')").fetchone()
    return row[0] if row else None


@contextmanager
def hold_write_lock(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Keep every other process from writing a lake for the length of the block, where its catalog is PostgreSQL's.

    The catalog's advisory lock is released when this process ends, however; within a minute where its machine is
    gone. Who has waited for it longer than PATIENCE gets an error.
    """
    if shared_catalog(connection) != "postgres":
        yield
        return
    (lake,) = connection.execute("select current_database()").fetchone() or ("",)
    with connection.cursor() as beside:  # in a transaction of its own, which holds a connection to PostgreSQL
        beside.execute("begin transaction")
        try:
            parameters = {"lake": lake, "lock": _LOCK, "patience": PATIENCE}
            execute(beside, load_sql("warehouse/wait_for_lock"), parameters).fetchall()
            yield
        finally:
            try:
                beside.execute("rollback")
            except duckdb.Error:  # the catalog has ended that session and its lock; the work itself may be done
                log.debug("there was no lock left to release", exc_info=True)
