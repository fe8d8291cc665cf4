"""Alerts of single findings: resources that are newly unhealthy, or unhealthy for too long, in what matters most."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from itertools import groupby
from typing import Any

import duckdb

from secscore_pipeline.alerts.alert import Alert
from secscore_pipeline.alerts.events import NAMED
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.text import list_some, printable
from secscore_pipeline.warehouse.statements import select_rows

Row = dict[str, Any]

RESOURCES = 3
"""How many resources of a recommendation a line names."""


def find_new_findings(connection: duckdb.DuckDBPyConnection, since: datetime, least: int) -> list[Alert]:
    """Return an alert for each run that found resources newly unhealthy in recommendations of a high severity.

    Args:
        connection: open for reading.
        since: UTC; what was observed until then is known.
        least: from how many resources of a run there is an alert.
    """
    rows = select_rows(connection, load_sql("alerts/list_new_findings"), {"since": since, "named": RESOURCES})
    return [
        _group_new_findings(run_id, found)
        for run_id, found in ((run_id, list(group)) for run_id, group in groupby(rows, lambda row: row["run_id"]))
        if sum(row["resources"] for row in found) >= least
    ]


def _group_new_findings(run_id: str, found: Sequence[Row]) -> Alert:
    count = sum(row["resources"] for row in found)
    return Alert(
        f"findings_new/{run_id}",
        "findings_new",
        f"{count} new {'finding' if count == 1 else 'findings'} of high severity",
        _limit([_describe_new(row) for row in found]),
        "Fix the resources, or exempt them in Defender for Cloud with a reason; posture.unhealthy_resources has the "
        "remediation of each.",
        run_id,
    )


def _describe_new(row: Row) -> str:
    names = [f"{printable(one['resource'])} in {printable(one['subscription'])}" for one in row["first_resources"]]
    return _describe_resources(row, row["resources"], names)


def list_overdue_findings(connection: duckdb.DuckDBPyConnection, days: int) -> list[Row]:
    """Return the resources that are unhealthy in recommendations of a high severity for more than some days.

    Args:
        connection: open for reading.
        days: how many.
    """
    return select_rows(connection, load_sql("alerts/list_overdue_findings"), {"days": days})


def group_overdue_findings(found: Sequence[Row], days: int) -> Alert | None:
    """Return the one alert of findings that are newly overdue; None where there are none.

    Args:
        found: rows of list_overdue_findings.sql that no alert was sent of.
        days: from which age a finding is overdue.
    """
    if not found:
        return None
    by_recommendation: dict[str, list[Row]] = {}
    for row in found:
        by_recommendation.setdefault(row["recommendation_id"], []).append(row)
    lines = [_describe_overdue(rows) for rows in by_recommendation.values()]
    is_one = len(found) == 1
    return Alert(
        f"findings_overdue/{sha256('|'.join(sorted(row['key'] for row in found)).encode()).hexdigest()[:32]}",
        "findings_overdue",
        f"{len(found)} {'finding' if is_one else 'findings'} of high severity {'is' if is_one else 'are'} open for "
        f"more than {days} days",
        _limit(lines),
        "Fix the resources, or exempt them in Defender for Cloud with a reason: from posture.unhealthy_resources where "
        f"days > {days} and severity in ('High', 'Critical')",
    )


def _describe_overdue(rows: Sequence[Row]) -> str:
    names = [
        f"{printable(row['resource'])} in {printable(row['subscription'])} ({row['days']} days)"
        for row in rows[:RESOURCES]
    ]
    return _describe_resources(rows[0], len(rows), names)


def _describe_resources(row: Row, resources: int, names: list[str]) -> str:
    count = f"{resources} {'resource' if resources == 1 else 'resources'}"
    named = list_some([*names, *[""] * (resources - len(names))], RESOURCES)
    return f"{printable(row['recommendation'])} ({row['severity']}): {count}: {named}"


def _limit(lines: list[str]) -> tuple[str, ...]:
    more = len(lines) - NAMED
    return (*lines[:NAMED], *([f"and {more} more {'recommendation' if more == 1 else 'recommendations'}"] * (more > 0)))
