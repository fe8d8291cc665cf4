"""The database that commands read: that of the settings, or the demo's where there is no other."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from secscore_pipeline.cli import first_steps
from secscore_pipeline.cli.console import print_hint

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from secscore_pipeline.warehouse.warehouse import Warehouse


def get_warehouse() -> "Warehouse":
    """Return the warehouse of the settings."""
    from secscore_pipeline.warehouse.warehouse import Warehouse

    return Warehouse.from_environment()


def select_named(
    connection: "DuckDBPyConnection", name: str, parameters: Mapping[str, object] | None = None
) -> list[dict[str, Any]]:
    """Return the rows of one of the package's queries.

    Args:
        connection: open for reading at least.
        name: room and name of the file of SQL, as `posture/list_scores`.
        parameters: its parameters, by name.
    """
    from secscore_pipeline.system.sql_files import load_sql
    from secscore_pipeline.warehouse.statements import select_rows

    return select_rows(connection, load_sql(name), parameters)


def use_demo_database() -> None:
    """Use the demo's database where there is no other, and print that."""
    if first_steps.has_only_demo_database(os.environ):
        os.environ["SECSCORE_DATABASE"] = first_steps.DEMO_DATABASE
        os.environ.setdefault("SECSCORE_REPORT", first_steps.DEMO_REPORT)
        print_hint(f"No database of your own yet: using the demo's, {first_steps.DEMO_DATABASE} (simulated data).")
