"""What `make check` runs finds what it is for, and runs before each commit too."""

import re
import secrets
from pathlib import Path

import pytest
import yaml

from scripts import find_secrets, lint_sql

ROOT = find_secrets.ROOT

SQL = {
    "select 1;": "begin with a comment",
    "-- One row.\nselect from where;": "DuckDB cannot parse it",
    "-- One row.\nSELECT 1;": "lower case: select",
    "-- One row.\nselect * from raw.fetches;": "Name the columns: raw",
    "-- One row.\nwith a as (select 1), b as (select 2) select * from b;": "Nothing reads a",
    "-- One row.\nselect 1; ": "ends with blanks",
    "-- One row.\nselect " + "1 + " * 30 + "1;": "longer than 120",
    "-- One row.\ncreate view one.view as select * from raw.fetches;": None,
    '-- One row.\nwith a as (select 1 as "Type") select a.Type, [x for x in [1]] from a; -- It\'s one.': None,
    "-- One row.\nwith recursive a as (select 1 as n union all select n + 1 from a where n < $last) from a;": None,
    "-- One row.\ncreate macro twice(x) as x * 2;\ncomment on macro twice is 'Twice a number';": None,
}


@pytest.mark.parametrize("text", SQL)
def test_the_sql_lint_finds_what_it_is_for_and_nothing_else(text):
    problems = [problem for _, problem in lint_sql.find_problems(text)]
    if SQL[text] is None:
        assert problems == []
    else:
        assert len(problems) == 1
        assert SQL[text] in problems[0]


def test_the_sql_lint_names_the_line(tmp_path, capsys):
    file = tmp_path / "one.sql"
    file.write_text("-- One row.\nselect 1;\n\nselect\n    *\nfrom raw.fetches;\n")
    assert lint_sql.main([str(file)]) == 1
    assert capsys.readouterr().out.startswith(f"{file}:5: Name the columns")


def random_text(length: int) -> str:
    return "a1" + secrets.token_hex(length)[: length - 2]


SECRETS = {
    "a private key": lambda: f"-----BEGIN PRIVATE KEY-----\n{random_text(48)}",
    "a client secret of Entra": lambda: f"{secrets.token_hex(2)[:3]}8Q~{random_text(34)}",
    "a signed token": lambda: ".".join(("eyJ" + random_text(20), random_text(20), random_text(20))),
    "a key of a storage account": lambda: f"AccountKey={random_text(80)}",
    "a shared access signature": lambda: f"https://x.example/?sig={random_text(44)}",
    "a Slack token or webhook": lambda: f"xoxb-{random_text(30)}",
    "a key of AWS": lambda: f"AKIA{secrets.token_hex(8).upper()}",
    "a GitHub token": lambda: f"ghp_{random_text(36)}",
    "a URL with a password": lambda: f"https://me:{random_text(8)}@x.example/",
    "a value that is random": lambda: f'client_secret = "{random_text(36)}"',
}


@pytest.mark.parametrize("what", find_secrets.FORMS)
def test_every_form_of_secret_is_found_and_never_shown(what, tmp_path, capsys):
    file, secret = tmp_path / "settings.txt", SECRETS[what]()
    file.write_text(f"One line.\nAnother: {secret}\n")
    assert find_secrets.main([str(file)]) == 1
    shown = capsys.readouterr().out
    assert f"{file}:2: This looks like {what}." in shown
    assert not any(part in shown for part in re.findall(r"[\w~]{8,}", secret) if part not in ("AccountKey", "example"))


def test_the_hooks_before_a_commit_run_what_make_check_runs():
    recipe = (ROOT / "Makefile").read_text().split("\ncheck:")[1].split("\n\n")[0]
    run = [line.strip().lstrip("@").replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()[1:]]
    (hooks,) = yaml.safe_load(Path(ROOT, ".pre-commit-config.yaml").read_text())["repos"]
    assert [hook["entry"] for hook in hooks["hooks"]] == [line for line in run if "audit" not in line]


def test_without_git_the_files_are_searched_that_are_not_made_here(monkeypatch):
    def run(*_, **__):
        raise FileNotFoundError("git")

    monkeypatch.setattr(find_secrets.subprocess, "run", run)
    found = set(find_secrets.tracked_files())
    assert {ROOT / "README.md", ROOT / ".env.example", Path(__file__).resolve()} <= found
    assert [file for file in found if ".venv" in file.parts or file.suffix == ".pyc"] == []
