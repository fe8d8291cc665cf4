"""Exports of recommendations: as findings by the schemas of OCSF, and as sheets that people filter."""

import csv
import json
import zipfile
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import duckdb
import pytest

from secscore_pipeline.emulator.world import World
from secscore_pipeline.exports.workbook import write_workbook
from secscore_pipeline.ocsf.validation import build_event, find_lake_problems, find_problems
from secscore_pipeline_tests.exports.test_exports import write_export
from secscore_pipeline_tests.exports.test_spreadsheets import EPOCH, NAMESPACE, sheets_of, value_of
from secscore_pipeline_tests.support.records import (
    make_assessment,
    make_control,
    make_metadata,
    make_score,
    store_records,
)

VIEWS = ("changes", "coverage", "current_scores", "opportunities", "recommendations", "unhealthy_resources")
A = "00000000-0000-0000-0000-00000000000a"
DAY = datetime(2026, 3, 1, 5, tzinfo=UTC)
EVIL = '=HYPERLINK("http://evil")'


@pytest.fixture(scope="module")
def assessed(module_azure, module_store):
    """Return a store of a local Azure whose recommendations were read yesterday and today, when some had changed."""
    world = World(subscriptions=3)
    azure = module_azure(world)
    module_store.use(azure, SECSCORE_EVENT_TYPES="secure_scores,secure_score_controls,assessments")
    module_store.sync()
    module_store.write("update raw.fetches set observed_at = observed_at - interval 1 day")
    world.simulate_until(world.today + timedelta(days=20))
    module_store.sync()
    return module_store


def test_every_recommendation_is_a_valid_finding_of_ocsf(assessed, tmp_path):
    write_export(assessed, "jsonl", tmp_path / "out")
    files = sorted((tmp_path / "out").glob("day=*/findings.jsonl"))
    events = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    found = [event for event in events if event["metadata"]["event_code"] == "assessments"]
    changes = assessed.one("select count(*) from ocsf.assessment_findings where metadata.event_code = 'assessments'")
    assert len(found) == changes > 500
    assert [find_problems(event) for event in found if find_problems(event)] == []
    assert {event["activity_name"] for event in found} == {"Create", "Update", "Close"}
    assert find_problems({**found[0], "severity_id": "High"})
    assert any("\n" in event["remediation"]["desc"] for event in found if "remediation" in event)


def test_every_recommendation_is_a_valid_event_of_the_security_lake(assessed, tmp_path):
    write_export(assessed, "security-lake", tmp_path / "out")
    files = [str(file) for file in sorted((tmp_path / "out").rglob("*.parquet"))]
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        query = "select to_json(f) from read_parquet(?, hive_partitioning = false) as f"
        events = [build_event(row) for (row,) in connection.execute(query, [files]).fetchall()]
    found = [event for event in events if event["metadata"]["event_code"] == "assessments"]
    changes = assessed.one("select count(*) from ocsf.assessment_findings where metadata.event_code = 'assessments'")
    assert len(found) == changes
    assert [find_lake_problems(event) for event in found if find_lake_problems(event)] == []
    assert {"recommendation.id"} <= set.union(*(set(event["unmapped"]) for event in found))


def test_a_workbook_has_what_people_filter_with_its_types(assessed, tmp_path):
    write_export(assessed, "xlsx", tmp_path / "out", views=VIEWS)
    path = tmp_path / "out" / "posture.xlsx"
    sheets = sheets_of(path)
    assert list(sheets) == list(VIEWS)
    with zipfile.ZipFile(path) as file:
        for number, lines in enumerate(sheets.values(), 1):
            assert len(lines) > 1
            sheet = ElementTree.fromstring(file.read(f"xl/worksheets/sheet{number}.xml"))
            assert sheet.find(f"{NAMESPACE}autoFilter").get("ref").endswith(str(len(lines)))
    for name in VIEWS:
        assert len(sheets[name]) - 1 == assessed.one(f"select count(*) from posture.{name}")
    columns = assessed.query(
        "select column_name from duckdb_columns() where table_name = 'unhealthy_resources' order by column_index"
    )
    assert sheets["unhealthy_resources"][0] == [name for (name,) in columns]
    ours = assessed.query(
        "select resource_name, is_scored, days, date_trunc('second', since), remediation "
        "from posture.unhealthy_resources"
    )
    read = read_sheet(path, list(VIEWS).index("unhealthy_resources") + 1)
    for cells, (name, is_scored, days, since, remediation) in zip(read, ours, strict=True):
        assert (cells.get("resource_name"), cells["is_scored"], cells["days"]) == (name, is_scored, days)
        assert cells.get("remediation") == remediation
        shown = EPOCH + timedelta(seconds=int(cells["since"] * 86_400 + 0.001))
        assert abs(shown - since.astimezone(UTC).replace(tzinfo=None)) <= timedelta(seconds=1)


def read_sheet(path, number):
    """Return the rows of a sheet, each with its cells by the names of their columns; an empty cell is not there."""
    with zipfile.ZipFile(path) as file:
        tree = ElementTree.fromstring(file.read(f"xl/worksheets/sheet{number}.xml"))
    head, *rows = [
        {cell.get("r").rstrip("0123456789"): value_of(cell) for cell in row} for row in tree.iter(f"{NAMESPACE}row")
    ]
    return [{head[column]: value for column, value in row.items()} for row in rows]


def test_a_text_is_no_formula_and_a_long_one_is_cut_in_a_cell_only(store, tmp_path):
    long = f"{EVIL} {'step ' * 8_000}"
    metadata = [make_metadata("open ports", "Low", remediationDescription=EVIL), make_metadata(EVIL, "Low")]
    named_long = make_assessment(A, "open ports", "vm-1")
    named_long["properties"]["displayName"] = long
    records = {
        "secure_scores": {A: [make_score(A, 5, 10, 1)]},
        "secure_score_controls": {A: [make_control(A, EVIL, 10, 5, 5, ("open ports", EVIL))]},
        "assessments": {A: [named_long, make_assessment(A, EVIL, "vm-2")]},
        "assessment_metadata": {A: metadata},
    }
    store_records(store, "run-1", DAY, records)
    store.warehouse.publish()
    done = write_export(store, "xlsx", tmp_path / "out", views=("recommendations", "unhealthy_resources"))
    assert [note for note in done.notes if "were cut" in note] == [
        f"1 texts of {name} are longer than a cell holds (32,767) and were cut."
        for name in ("recommendations", "unhealthy_resources")
    ]
    rows = read_sheet(tmp_path / "out" / "posture.xlsx", 1)
    (cut,) = [cells["recommendation"] for cells in rows if cells["recommendation"] != EVIL]
    assert (len(cut), cut[: len(EVIL)], cut[-1]) == (32_767, EVIL, "…")
    assert {cells["controls"] for cells in rows} == {json.dumps([EVIL])}
    assert EVIL in {cells["recommendation"] for cells in rows} & {cells.get("remediation") for cells in rows}
    write_export(store, "csv", tmp_path / "out", views=("recommendations",))
    with (tmp_path / "out" / "recommendations.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert {row["recommendation"] for row in rows} == {f"'{long}", f"'{EVIL}"}
    assert {row["remediation"] for row in rows} == {f"'{EVIL}", ""}
    assert {row["controls"] for row in rows} == {json.dumps([EVIL])}
    assert all(not cell.startswith("=") for row in rows for cell in row.values())


def test_a_cell_is_counted_as_a_spreadsheet_counts(tmp_path):
    """Characters beyond the first 65,536 are two, and none is cut in the middle."""
    texts = ["🚀" * 16_383 + "x", "🚀" * 16_384]
    _, notes = write_workbook(tmp_path / "x.xlsx", [("x", ["t"], [[[text] for text in texts]])], tmp_path)
    _, (whole,), (cut,) = sheets_of(tmp_path / "x.xlsx")["x"]
    assert (whole, cut) == (texts[0], "🚀" * 16_383 + "…")
    assert len(notes) == 1
