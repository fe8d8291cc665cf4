"""What is done with the store: what a run has read is loaded in one transaction, normalized, deleted, compacted."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import duckdb
import msgspec

from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.connection import open_for_writing, replace_proven, scratch_folder
from secscore_pipeline.warehouse.memory import limit_memory
from secscore_pipeline.warehouse.rows import ConnectionTenant, ListedRow, ListingRow, ScopeChange, ScopeRow
from secscore_pipeline.warehouse.spool import Spool, SpooledRows, spool_rows
from secscore_pipeline.warehouse.statements import execute, has_rows, quote_literal
from secscore_pipeline.warehouse.transactions import retry_on_clash, shared_catalog, transaction

_Result = TypeVar("_Result")

_DERIVED = (
    "control_definitions",
    "findings",
    "parsed_versions",
    "closings",
    "newest_fetches",
    "normalized_fetches",
    "subscription_versions",
    "departures",
    "parsed_assessments",
    "parsed_metadata",
    "recommendation_events",
)
"""The working tables that a rebuild makes anew."""

KEPT_AS_SPANS = ("assessments", "assessment_metadata")
"""The event types whose records are stored as spans (`internal.record_spans`): there are many, and few change."""

RECORDS_PER_SLICE = 64_000
"""How many records are loaded at a time, about: it bounds the memory, not the result."""

VERSIONS_PER_SLICE = 32_000
"""How many new record versions are parsed at a time: it bounds the memory, not the result."""


def load_fetches(
    connection: duckdb.DuckDBPyConnection,
    spool: Spool,
    run_id: str,
    event_type: str,
    stored_at: datetime,
    tenant: ConnectionTenant | None = None,
) -> list[ScopeChange]:
    """Load all fetches of an event type in one transaction: every fetch and every record, or nothing.

    A record's text is stored where it differs from the one before. A subscription's time does not run backwards in the
    store: what was read by a clock that is behind that of the fetch before counts as observed a millisecond after it.
    What is stored already is left as it is, but for one that could read nothing: this one takes its place. What a run
    reads in several parts is loaded part by part, where no subscription is in two of them.
    A subscription's tenant is what the list says; else what is known of it; else the connection's.

    Args:
        connection: open for writing.
        spool: closed, with what was read.
        run_id: the run that read them.
        event_type: the name of the event type.
        stored_at: the present, UTC.
        tenant: the connection's; needed where a fetch does not say whose its subscription is.

    Returns:
        The subscriptions that had left the scope and are back: who is read is in scope.
    """
    values = {
        "run_id": run_id,
        "event_type": event_type,
        "fetches_file": str(spool.fetches_path),
        "line_bytes": spool.line_bytes,
        "stored_at": stored_at,
        "tenant_id": tenant and tenant.tenant_id,
    }

    def load() -> list[ScopeChange]:
        with transaction(connection):
            if has_rows(connection, "warehouse/count_spooled_fetches", values):
                return []
            for name in ("delete_failed_fetches", "load_fetches"):
                execute(connection, load_sql(f"warehouse/{name}"), values)
            load_records(connection, spool, values)
            kept = "load_spans" if event_type in KEPT_AS_SPANS else "load_observations"
            execute(connection, load_sql(f"warehouse/{kept}"), values)
            _identify_tenant(connection, tenant)
            return _change_scope(connection, "enter_scope", values)

    return _store(connection, load)


def load_records(connection: duckdb.DuckDBPyConnection, spool: Spool, values: dict[str, object]) -> None:
    """Store the records of a spool that differ from those before, slice by slice; what was seen is put aside.

    Args:
        connection: in a transaction that has stored the spool's fetches.
        spool: closed, with what was read.
        values: the parameters `run_id`, `event_type` and `line_bytes`.
    """
    connection.execute(load_sql("warehouse/make_seen_versions"))
    for files in spool.slice_records(RECORDS_PER_SLICE):
        part = {**values, "records_files": list(map(str, files))}
        for name in ("load_incoming", "load_record_versions"):
            execute(connection, load_sql(f"warehouse/{name}"), part)


def _change_scope(connection: duckdb.DuckDBPyConnection, finding: str, values: dict[str, Any]) -> list[ScopeChange]:
    """Store the changes of the scope that a file of SQL finds, and return those to report."""
    execute(connection, load_sql(f"warehouse/{finding}"), values)
    changes = execute(connection, load_sql("warehouse/store_scope_changes"), values).fetchall()
    return [ScopeChange(*row) for row in changes]


def leave_scope(connection: duckdb.DuckDBPyConnection, scope: ScopeRow, stored_at: datetime) -> list[ScopeChange]:
    """Store which subscriptions have left the scope of a feed.

    Args:
        connection: open for writing.
        scope: what a run found, from a list that could be read.
        stored_at: the present, UTC.

    Returns:
        Those that have left since the run before.
    """
    not_read = [{"subscription_id": one, "reason": reason} for one, reason in scope.not_read.items()]
    values = {
        **msgspec.structs.asdict(scope),
        "subscription_ids": msgspec.json.encode(scope.subscription_ids).decode(),
        "not_read": msgspec.json.encode(not_read).decode(),
        "stored_at": stored_at,
    }

    def leave() -> list[ScopeChange]:
        with transaction(connection):
            return _change_scope(connection, "leave_scope", values)

    return _store(connection, leave)


def load_listing(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    listing: ListingRow,
    listed: Sequence[ListedRow],
    tenant: ConnectionTenant,
    stored_at: datetime,
) -> None:
    """Store where a list of subscriptions differs from the list before; one that is stored already stays.

    Args:
        connection: open for writing.
        path: the store's; beside it the list is kept until it is loaded.
        listing: who listed what, and when.
        listed: every subscription on the list; one that is not there counts as no longer listed.
        tenant: the connection's.
        stored_at: the present, UTC.
    """
    values = {
        **msgspec.structs.asdict(listing),
        "management_groups": msgspec.json.encode([one._asdict() for one in listing.management_groups]).decode(),
        "tenant_id": tenant.tenant_id,
        "stored_at": stored_at,
    }

    def load(lines: SpooledRows) -> None:
        spooled = {"listed_file": str(lines.path), "subscriptions": lines.rows, "line_bytes": lines.line_bytes}
        with transaction(connection):
            if not has_rows(connection, "warehouse/count_listings", values):
                execute(connection, load_sql("warehouse/load_listing"), {**values, **spooled})

    with spool_rows(path, listed) as lines:
        _store(connection, partial(load, lines))


def _identify_tenant(connection: duckdb.DuckDBPyConnection, tenant: ConnectionTenant | None) -> None:
    """Give what was stored under a tenant's domain, before a token named its GUID, that GUID.

    A GUID that the settings name is left as it is: a machine's identity may be of another tenant than they say, and
    what is stored under theirs may be another feed's.
    """
    if tenant and "." in tenant.name and tenant.tenant_id != tenant.name:
        execute(connection, load_sql("warehouse/identify_tenant"), tenant._asdict())


class Mapping(Protocol):
    """The SQL that makes findings of what is not normalized yet: `ocsf.mapping` has it."""

    versions: tuple[str, ...]
    events: tuple[str, ...]
    notes: tuple[str, ...]
    parameters: dict[str, object]

    def prepare(
        self, run: Callable[[str, dict[str, object]], duckdb.DuckDBPyConnection], part: dict[str, object], /
    ) -> None:
        """Make temporary tables of what SQL cannot work out, for the versions after `after`, up to `upto`."""


def normalize(connection: duckdb.DuckDBPyConnection, mapping: Mapping) -> int:
    """Work out what was stored and is not in the findings yet.

    Each slice of record versions is parsed in a transaction of its own, so that DuckDB need not keep what they all
    replaced; nothing of it shows before the last one, which notes the runs. What is cut short is continued.

    Args:
        connection: open for writing.
        mapping: the SQL and its parameters; a slice of record versions is those after `$after`, up to `$upto`.

    Returns:
        How many events of findings were added.
    """

    def add() -> int:
        while True:
            with transaction(connection):
                after, stored = connection.execute(load_sql("warehouse/select_version_range")).fetchone() or (0, 0)
                if after == stored:  # in the transaction that notes the runs: another process may have stored more
                    return note()
                part = {**mapping.parameters, "after": after, "upto": after + VERSIONS_PER_SLICE}
                mapping.prepare(partial(execute, connection), part)
                for text in mapping.versions:
                    execute(connection, text, part)

    def note() -> int:
        for text in mapping.events:
            execute(connection, text, mapping.parameters)
        added = connection.execute(load_sql("warehouse/count_pending_events")).fetchone()
        for text in mapping.notes:
            execute(connection, text, mapping.parameters)
        return int(added[0]) if added else 0

    return _store(connection, add)


def delete_findings(connection: duckdb.DuckDBPyConnection) -> None:
    """Empty everything that is derived from the raw tables, so that `normalize` rebuilds it."""

    def empty() -> None:
        with transaction(connection):
            for table in _DERIVED:
                connection.execute(f"delete from internal.{table}")  # noqa: S608 - our own names
            connection.execute(load_sql("warehouse/restore_findings"))

    retry_on_clash(empty)


def delete_old_fetches(connection: duckdb.DuckDBPyConnection, cutoff: datetime) -> None:
    """Delete what was observed before `cutoff`, but for what the fetches that stay are compared with.

    It is noted in the store, so that who publishes it does not take what is gone for lost.
    """

    def delete() -> None:
        with transaction(connection):
            execute(connection, load_sql("warehouse/delete_old_fetches"), {"cutoff": cutoff})

    retry_on_clash(delete)


def compact(path: Path) -> None:
    """Write the whole store into a new file without gaps, and put that in the old one's place.

    Readers of the old file finish undisturbed; a kill in the middle leaves the old file as it was.

    Raises:
        WarehouseError: the file is locked by another process or damaged, or there is no room for a second one.
    """
    target = path.resolve()
    with open_for_writing(path) as connection, scratch_folder(target) as folder:
        new = folder / "compacted.duckdb"
        with open_for_writing(new):
            pass  # made with the schema of today, and closed
        connection.execute(f"attach {quote_literal(str(new))} as compacted")
        with transaction(connection):
            for (table,) in connection.execute(load_sql("warehouse/list_compactable_tables")).fetchall():
                connection.execute(f"insert into compacted.{table} by name from {table}")
                counts = f"select (select count(*) from compacted.{table}), (select count(*) from {table})"  # noqa: S608
                written, read = connection.execute(counts).fetchone() or (0, 0)
                if written != read:
                    raise AssertionError(f"{written} of {read} rows of {table} were written")
        connection.execute("checkpoint compacted")
        connection.execute("detach compacted")
        replace_proven(new, target)


def _store(connection: duckdb.DuckDBPyConnection, work: Callable[[], _Result]) -> _Result:
    """Do work of which all is stored or nothing: in little memory, and again where another process wrote just then."""
    if shared_catalog(connection):  # writing Parquet takes more
        return retry_on_clash(work)
    return limit_memory(connection, partial(retry_on_clash, work))
