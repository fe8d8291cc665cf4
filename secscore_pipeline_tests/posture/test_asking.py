"""Questions from the command line: each form of answer, and each way to go wrong."""

import csv
import io
import json
import re

import pytest

from secscore_pipeline.emulator.world import World
from secscore_pipeline.posture.query import as_csv, as_json, as_markdown
from secscore_pipeline_tests.conftest import secscore


@pytest.fixture
def ask(local_azure, store, tmp_path):
    azure = local_azure(World(subscriptions=2))
    next(iter(azure.world.subscriptions.values())).name = "=cmd|'/c calc'!A1"
    store.use(azure)
    store.sync()

    def run(*arguments, check=0, **options):
        return secscore("query", *arguments, cwd=tmp_path, env=store.settings, check=check, **options)

    return run


@pytest.mark.slow
def test_it_lists_what_can_be_asked(ask):
    listed = ask().stdout
    assert "posture.current_scores" in listed
    assert "ocsf.assessment_findings" in listed
    assert "meta." not in listed
    for wrong, meant in (
        ("from posture.read_result", "posture.read_results"),
        ("select * from results", "posture.read_results"),
        ('from "raw"."entitys"', "posture.entities"),
        ("from posture.scoretrend('x')", "posture.score_trend"),
        ("from current.tenant_score", "posture.tenant_score"),
        ("describe posture.read_result", "posture.read_results"),
        ("\\d read_result", "posture.read_results"),
    ):
        said = ask(wrong, check=1).stderr
        assert re.match(rf"✗ There is no table, view or macro [\w.]+\. Did you mean {meant}\b", said), said
    assert "Did you mean" not in ask("from nowhere", check=1).stderr


NAMES = "select subscription_name, observed_at, percentage, null as nothing from posture.current_scores order by 1"


@pytest.mark.slow
def test_each_form_holds_the_same_rows(ask):
    held = json.loads(ask(NAMES, "--format", "json").stdout)
    assert held[0]["subscription_name"] == "=cmd|'/c calc'!A1"
    assert held[0]["nothing"] is None
    assert held[0]["observed_at"].endswith("+00:00")
    read = list(csv.DictReader(io.StringIO(ask(NAMES, "--format", "csv").stdout)))
    assert [float(row["percentage"]) for row in read] == [row["percentage"] for row in held]
    assert read[0]["subscription_name"] == "'=cmd|'/c calc'!A1"
    lines = ask(NAMES, "--format", "markdown").stdout.splitlines()
    assert lines[:2] == ["| subscription_name | observed_at | percentage | nothing |", "| --- | --- | --- | --- |"]
    assert lines[2].startswith("| =cmd\\|'/c calc'!A1 | ")
    assert "=cmd|'/c calc'!A1" in ask(NAMES).stdout


@pytest.mark.slow
def test_the_question_may_come_from_a_file(ask):
    assert ask("--file", "-", "--format", "csv", input="select 40 + 2 as answer").stdout.splitlines() == [
        '"answer"',
        "42",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong",
    [
        "select * from nowhere",
        "selec",
        "delete from raw.fetches",
        "create table x (a int)",
        "select 1/",
        "select 'a'::int",
    ],
)
def test_what_is_not_understood_or_would_change_it_is_a_sentence(ask, wrong):
    done = ask(wrong, check=1)
    assert f"[query-{'writes' if 'raw.fetches' in wrong or 'table' in wrong else 'wrong'}]" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_database_is_a_sentence(tmp_path):
    done = secscore("query", "select 1", cwd=tmp_path, check=1)
    assert "[database-absent]" in done.stderr


@pytest.mark.parametrize("write", [as_csv, as_json, as_markdown])
def test_no_rows_are_no_rows(write):
    assert write(["a"], []) in ('"a"\r\n', "[]\n", "| a |\n| --- |\n")


FORMULAS = ["=cmd", "a;=cmd", "a\t=cmd", "a\n=cmd", "a\r\n+1", 'a";"=cmd', "a; @x", "\uff1dcmd", " =cmd", "-2+3"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("text", FORMULAS)
def test_a_spreadsheet_of_any_language_runs_nothing(text, separator):
    written = as_csv(["a", text], [("plain", text), (text, 1.5), (None, text)])
    for row in csv.reader(io.StringIO(written), delimiter=separator):
        assert [cell for cell in row if cell.strip("\"'\t ")[:1] in tuple("=+@-") and "'" not in cell] == []


def test_what_is_no_formula_is_written_as_it_is():
    text = 'a = b; c, "d" (e-mail@example.com) 1;2'
    assert list(csv.reader(io.StringIO(as_csv(["a"], [(text,), (-1.5,), (None,)])))) == [["a"], [text], ["-1.5"], [""]]
