"""Exports that spreadsheet programs open: read back by another library than the one that wrote them."""

import csv
import zipfile
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from xml.etree import ElementTree

import pytest

from secscore_pipeline.emulator.world import World
from secscore_pipeline.exports.workbook import write_workbook
from secscore_pipeline.posture.query import escape_formula
from secscore_pipeline_tests.conftest import secscore

NAMESPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a spreadsheet knows no zone


def sheets_of(path):
    """Return the cells of each sheet as (type, value, format); a missing cell is None."""
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        names = [
            sheet.get("name")
            for sheet in ElementTree.fromstring(file.read("xl/workbook.xml")).iter(f"{NAMESPACE}sheet")
        ]
        found = {}
        for number, name in enumerate(names, 1):
            tree = ElementTree.fromstring(file.read(f"xl/worksheets/sheet{number}.xml"))
            assert not list(tree.iter(f"{NAMESPACE}f")), "a formula"
            assert not list(tree.iter(f"{NAMESPACE}hyperlink")), "a link"
            found[name] = [[value_of(cell) for cell in row] for row in tree.iter(f"{NAMESPACE}row")]
        return found


def value_of(cell):
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return "".join(text.text or "" for text in cell.iter(f"{NAMESPACE}t")).replace("_x000D_", "\r")
    text = cell.find(f"{NAMESPACE}v").text
    return bool(int(text)) if kind == "b" else float(text)


def test_a_workbook_keeps_what_a_cell_is(tmp_path):
    moment = datetime(2026, 11, 24, 7, 30, tzinfo=timezone(timedelta(hours=2)))
    row = [
        moment, date(2026, 11, 24), 3, -2.5, Decimal("0.25"), True, "Größe 東京 🚀",
        "00000000-0000-0000-0000-000000000001", 2**60, float("nan"), ["a", 1], datetime(1, 1, 1, tzinfo=UTC),
        "a\ufffeb\x01",
    ]  # fmt: skip
    columns = [f"c{number}" for number in range(13)]
    rows, notes = write_workbook(tmp_path / "x.xlsx", [("all", columns, [[row], [[None] * 13]])], tmp_path)
    assert (rows, notes) == (2, [])
    heading, first, *_ = sheets_of(tmp_path / "x.xlsx")["all"]
    assert heading == columns
    assert EPOCH + timedelta(seconds=round(first[0] * 86_400)) == datetime(2026, 11, 24, 5, 30)  # noqa: DTZ001
    assert EPOCH + timedelta(days=first[1]) == datetime(2026, 11, 24)  # noqa: DTZ001
    assert first[2:5] == [3, -2.5, 0.25]
    assert first[5] is True
    assert first[6:9] == ["Größe 東京 🚀", "00000000-0000-0000-0000-000000000001", str(2**60)]
    assert first[9:12] == ["nan", '["a", 1]', "0001-01-01 00:00:00"]
    assert first[12].startswith("a\ufffdb")


def test_more_rows_than_a_sheet_holds_fill_others_and_a_long_text_is_cut_and_said(tmp_path):
    batches = [[[number, "x" * 40_000 if number == 3 else "x"] for number in range(7)]]
    rows, notes = write_workbook(tmp_path / "x.xlsx", [("a" * 40, ["n", "t"], batches)], tmp_path, max_rows=4)
    assert rows == 7
    found = sheets_of(tmp_path / "x.xlsx")
    assert list(found) == ["a" * 31, f"{'a' * 29} 2", f"{'a' * 29} 3"]
    assert [line[0] for lines in found.values() for line in lines[1:]] == list(range(7))
    assert len(found[f"{'a' * 29} 2"][1][1]) == 32_767
    assert any("more rows than a sheet holds (4): 3 sheets" in note for note in notes)
    assert any("1 texts" in note and "were cut" in note for note in notes)


EVIL = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\tx", "\uff1d1", "a;=1", '"=1', " =1"]


@pytest.mark.parametrize("text", EVIL)
def test_no_text_becomes_a_formula(tmp_path, text):
    first = escape_formula(text)[0]
    assert first == "'" or escape_formula(text).replace("'", "").startswith(text[0])
    assert "'" in escape_formula(text)
    write_workbook(tmp_path / "x.xlsx", [("x", ["t"], [[[text]]])], tmp_path)
    assert sheets_of(tmp_path / "x.xlsx")["x"][1][0] == text


def test_numbers_of_every_kind_stay_numbers_in_csv():
    assert [escape_formula(cell) for cell in (-1, -1.5, Decimal("-1.5"))] == [-1, -1.5, Decimal("-1.5")]


@pytest.mark.slow
def test_the_command_writes_the_views_that_were_chosen(local_azure, store, tmp_path):
    world = World(subscriptions=2)
    for subscription in world.subscriptions.values():
        subscription.name = "=Größe"
    store.use(local_azure(world))
    store.sync()
    chosen = ["export", "--view", "posture.current_scores", "--view", "coverage", "--output", "out"]
    done = secscore(*chosen, "--format", "xlsx", "--format", "csv", cwd=tmp_path, env=store.settings)
    assert "xlsx: 1 written, 0 unchanged, 1 files" in done.stdout
    found = sheets_of(tmp_path / "out" / "posture.xlsx")
    assert list(found) == ["coverage", "current_scores"]
    names = {line[found["current_scores"][0].index("subscription_name")] for line in found["current_scores"][1:]}
    assert names == {"=Größe"}
    assert sorted(path.name for path in (tmp_path / "out").glob("*.csv")) == ["coverage.csv", "current_scores.csv"]
    content = (tmp_path / "out" / "current_scores.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    assert {line["subscription_name"] for line in csv.DictReader(content.decode("utf-8-sig").splitlines())} == {
        "'=Größe"
    }
    again = secscore(*chosen, "--format", "xlsx", cwd=tmp_path, env=store.settings)
    assert "xlsx: 0 written, 1 unchanged" in again.stdout
    more = secscore("export", "--format", "xlsx", "--output", "out", cwd=tmp_path, env=store.settings)
    assert "xlsx: 1 written" in more.stdout
    views = store.one("select count(*) from duckdb_views() where schema_name = 'posture'")
    assert len(sheets_of(tmp_path / "out" / "posture.xlsx")) == views
    refused = ["export", "--output", "no", "--format"]
    wrong = secscore(*refused, "csv", "--view", "curent_scores", cwd=tmp_path, env=store.settings, check=2)
    assert "nearly current_scores" in wrong.stderr
    assert "coverage" in wrong.stderr
    secscore(*refused, "jsonl", "--view", "coverage", cwd=tmp_path, env=store.settings, check=2)
    assert not (tmp_path / "no").exists()
