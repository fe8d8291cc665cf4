"""Stores to be damaged or killed at: how one is made, damaged, and read in full."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from secscore_pipeline.warehouse.warehouse import Warehouse
from secscore_pipeline_tests.fuzzing.cases import Damage

if TYPE_CHECKING:
    from secscore_pipeline_tests.fuzzing.harness import Harness


def store_settings(folder: Path) -> dict[str, str]:
    """Return the settings of a store in a folder."""
    return {
        "SECSCORE_DATABASE": str(folder / "store" / "published.duckdb"),
        "SECSCORE_WORK_DATABASE": str(folder / "store" / "work.duckdb"),
        "SECSCORE_DATA_PATH": str(folder / "lake"),
        "SECSCORE_REPORT": str(folder / "report.html"),
        "SECSCORE_EXPORT_URL": str(folder / "exports"),
    }


def warehouse_in(folder: Path) -> Warehouse:
    """Return the store in a folder."""
    settings = store_settings(folder)
    return Warehouse(database=settings["SECSCORE_DATABASE"], work_database=settings["SECSCORE_WORK_DATABASE"])


def live(harness: "Harness", folder: Path, syncs: int = 2, **settings: str) -> None:
    """Have syncs fill the store in a folder, a simulated day apart."""
    for _ in range(syncs):
        harness.pass_day()
        given = {**harness.right_azure.settings(), **store_settings(folder), **settings}
        done = harness.commands.run(given, "sync", folder=folder)
        assert done.code == 0, done.output


def damage(file: Path, how: Damage) -> None:
    """Damage a file."""
    file.chmod(0o600)
    content = bytearray(file.read_bytes())
    place = min(int(how.at * len(content)), len(content) - 1)
    match how.kind:
        case "flip":
            for number, mask in enumerate(how.data):
                content[(place + number * 4099) % len(content)] ^= mask or 1
            file.write_bytes(content)
        case "overwrite":
            content[place : place + len(how.data)] = how.data
            file.write_bytes(content)
        case "cut":
            file.write_bytes(content[:place])
        case "empty":
            file.write_bytes(b"")
        case "replace":
            file.write_bytes(how.data)
        case "lose":
            file.unlink()
        case "log":
            Path(f"{file}.wal").write_bytes(how.data)
        case "folder":
            file.unlink()
            file.mkdir()


def readable_rows(harness: "Harness", file: Path) -> set[tuple[Any, ...]] | None:
    """Return the fetches that a store's file holds, after every table of it was read in full; None where it cannot be.

    It is read in a process of its own: DuckDB may end one that opens a damaged file.
    """
    done = harness.commands.run({}, "read", str(file), folder=harness.folder)
    return {tuple(row) for row in json.loads(done.output)} if done.code == 0 else None


def print_rows(file: str) -> None:
    """Print as JSON what `readable_rows` returns."""
    with duckdb.connect(file, read_only=True) as connection:
        for schema, table in connection.execute("select schema_name, table_name from duckdb_tables()").fetchall():
            connection.execute(f'select count(*), sum(hash(t)) from {schema}."{table}" as t').fetchall()
        rows = connection.execute(
            "select run_id, event_type, subscription_id, outcome, records, observed_at::varchar from raw.fetches"
        ).fetchall()
    print(json.dumps(rows))
