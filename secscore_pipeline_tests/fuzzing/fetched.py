"""What must be true of what is read from Azure Resource Manager: of each fetch, and of all that is made of its records."""

import csv
import math
import re
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from secscore_pipeline.azure.errors import Outcome
from secscore_pipeline.azure.event_types import (
    ASSESSMENT_METADATA,
    ASSESSMENTS,
    SECURE_SCORE_CONTROLS,
    SECURE_SCORES,
)
from secscore_pipeline.clock import utc_now
from secscore_pipeline.exports.destination import Destination
from secscore_pipeline.exports.export import Lake, export
from secscore_pipeline.ingest.fetches import fetch_event_types
from secscore_pipeline.ocsf.mapping import Normalization
from secscore_pipeline.ocsf.validation import build_event, find_problems
from secscore_pipeline.report.page import read_report
from secscore_pipeline.system.sql_files import load_sql
from secscore_pipeline.warehouse.store import KEPT_AS_SPANS, normalize
from secscore_pipeline.warehouse.warehouse import Warehouse
from secscore_pipeline_tests.fuzzing.answers import plain
from secscore_pipeline_tests.fuzzing.cases import ArmCase, RecordsCase
from secscore_pipeline_tests.fuzzing.harness import DEADLINE, LIST_DEADLINE, Harness, Observed, as_text
from secscore_pipeline_tests.fuzzing.spans import contradict_nothing
from secscore_pipeline_tests.support.fetching import fetch_event_type

_BOUNDED = re.compile(r"[A-Za-z0-9_. -]{1,100}")
"""What a code or id of somebody else's may look like where it is stored."""


def check_arm(harness: Harness, case: ArmCase) -> None:
    """One subscription's answers cost that subscription at most; its fetch has an outcome, in time."""
    azure, (struck, *others) = harness.azure, harness.subscription_ids
    azure.forget()
    script = azure.script(rf"^GET /subscriptions/{struck}/|[?&]skip=", case.answers)
    warehouse = harness.warehouse()
    with harness.observed() as seen:
        taken = fetch_event_type(harness.connection(), warehouse, SECURE_SCORE_CONTROLS, "run")
    rows = _fetches(warehouse)
    _each_has_an_outcome(harness, rows, struck, others)
    fetch = rows[struck]
    allowed = min(DEADLINE * len({*script.lines, ""}), LIST_DEADLINE)
    harness.in_time((fetch["finished_at"] - fetch["started_at"]).total_seconds(), allowed)
    nothing_leaked(harness, seen, as_text([list(rows.values()), taken.errors]))


def check_records(harness: Harness, case: RecordsCase) -> None:
    """Records of any kind are stored as received, and every finding, view, export and report of them is right."""
    azure, (struck, *others) = harness.azure, harness.subscription_ids
    warehouse = harness.warehouse()
    with harness.observed():
        connection = harness.connection()
        for number, bodies in enumerate(case.runs):
            azure.forget()
            run_id = f"run-{number}"
            event_types = [event_type for event_type in _EVENT_TYPES if event_type.name in bodies]
            for event_type in event_types:
                pattern = rf"^GET /subscriptions/{struck}/.*/{event_type.collection}\?"
                azure.script(pattern, (plain(bodies[event_type.name]),))
            list(fetch_event_types(connection, warehouse, event_types, run_id, utc_now, str))
            _each_has_an_outcome(harness, _fetches(warehouse, run_id), struck, others)
            with warehouse.get_connection() as opened:
                normalize(opened, Normalization().build_mapping())
                _are_stored_as_received(opened, run_id, struck, bodies)
        with warehouse.get_connection() as opened:
            views_are_readable(opened)
            contradict_nothing(opened)
            _findings_are_valid(opened, struck)
            folder = warehouse.path.parents[1] / "exports"
            destination = Destination(str(folder))
            for form in ("csv", "jsonl"):
                with destination.scratch_folder(warehouse.path) as made:
                    export(opened, form, destination, Lake(), made)
            _is_finite_csv(folder)
            page = read_report(opened, utc_now()).page()
            assert "<script>alert" not in page, "a text of a record is markup in the report"


_EVENT_TYPES = (SECURE_SCORES, SECURE_SCORE_CONTROLS, ASSESSMENTS, ASSESSMENT_METADATA)


class _List(msgspec.Struct):
    value: list[msgspec.Raw]


def _are_stored_as_received(
    connection: duckdb.DuckDBPyConnection, run_id: str, struck: str, bodies: dict[str, bytes]
) -> None:
    # Of metadata only the lists are read that tell something new.
    read = connection.execute(
        "select event_type, outcome = 'complete' from raw.fetches where run_id = $1 and subscription_id = $2",
        [run_id, struck],
    ).fetchall()
    for event_type, is_complete in read:
        query = f"select record from raw.{event_type} where subscription_id = $1"
        if event_type in KEPT_AS_SPANS:  # what stays the same has no row of this run
            query, values = f"{query} and ended_at is null order by record", [struck]
        else:
            query, values = f"{query} and run_id = $2 order by record", [struck, run_id]
        stored = [record for (record,) in connection.execute(query, values).fetchall()]
        if is_complete:
            sent = msgspec.json.decode(bodies[event_type], type=_List).value
            assert stored == sorted(bytes(record).decode() for record in sent), f"{event_type} are not as received"
        else:
            assert not stored or event_type in KEPT_AS_SPANS, f"{event_type} of a fetch that failed are stored"


def _findings_are_valid(connection: duckdb.DuckDBPyConnection, struck: str) -> None:
    rows = connection.execute(
        "select to_json(f) from ocsf.assessment_findings as f where cloud.account.uid = $1", [struck]
    ).fetchall()
    for (row,) in rows:
        problems = find_problems(build_event(row))
        assert not problems, f"a finding is no valid OCSF: {problems[:3]}"
    counted = connection.execute(load_sql("ocsf/count_findings")).fetchall()
    assert counted == connection.execute("select count(*) from ocsf.assessment_findings").fetchall()


def _fetches(warehouse: Warehouse, run_id: str = "run") -> dict[str, dict[str, Any]]:
    """Return the rows that a run has in raw.fetches by subscription; each has one for each event type."""
    with warehouse.get_reader() as connection:
        cursor = connection.execute("select * from raw.fetches where run_id = $1 order by event_type", [run_id])
        columns = [column[0] for column in cursor.description or []]
        rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    assert len({(row["subscription_id"], row["event_type"]) for row in rows}) == len(rows), "a fetch has two rows"
    return {row["subscription_id"]: row for row in rows}


def _each_has_an_outcome(harness: Harness, rows: dict[str, dict[str, Any]], struck: str, others: list[str]) -> None:
    assert set(rows) == {struck, *others}, f"{len(rows)} of {1 + len(others)} subscriptions have a row"
    for one in others:
        assert rows[one]["outcome"] == Outcome.COMPLETE, (
            f"another subscription is {rows[one]['outcome']}: {rows[one]['error']}"
        )
    row = rows[struck]
    assert row["outcome"] in set(Outcome)
    if row["outcome"] not in (Outcome.COMPLETE, Outcome.NO_SCORE):
        assert row["error"], f"{row['outcome']} without a reason"
        harness.fit_to_be_shown(row["error"])
    for name in ("error_code", "request_ids"):
        held = row[name] if isinstance(row[name], list) else [row[name]]
        for one in held:
            assert one is None or _BOUNDED.fullmatch(one), f"{name} is stored as {one[:60]!r}"


def views_are_readable(connection: duckdb.DuckDBPyConnection) -> None:
    """Fail where a view cannot be read in full, or holds a number that is none."""
    views = connection.execute(
        "select schema_name, view_name from duckdb_views() "
        "where database_name = current_database() and not internal order by all"
    ).fetchall()
    assert len(views) > 10
    for schema, view in views:
        cursor = connection.execute(f'select * from {schema}."{view}"')
        names = [column[0] for column in cursor.description or []]
        for row in cursor.fetchall():
            for name, held in zip(names, row, strict=True):
                assert not isinstance(held, float) or math.isfinite(held), f"{schema}.{view}.{name} is {held}"


def _is_finite_csv(folder: Path) -> None:
    for file in folder.rglob("*.csv"):
        with file.open(encoding="utf-8", newline="") as opened:
            for row in csv.reader(opened):
                assert not {"inf", "-inf", "nan"} & set(row), f"{file.name} holds a number that is none"


def nothing_leaked(harness: Harness, seen: Observed, shown: str) -> None:
    """Fail where a secret was logged, stored, returned or sent elsewhere."""
    harness.nobody_else_heard()
    harness.no_secret_in(**{"what was stored or returned": shown, "the log": "\n".join(seen.log)})
