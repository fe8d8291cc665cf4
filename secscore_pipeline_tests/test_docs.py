"""The documents are true: every setting, command, link, query and dependency in them is the real one."""

import json
import math
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from scripts.readme import (
    COMMANDS_PAGE,
    DOCS,
    EXAMPLE,
    README,
    SETTINGS_PAGE,
    TABLES_PAGE,
    TROUBLESHOOTING_PAGE,
    commands_page,
    env_example,
    pages_with_examples,
    settings_page,
    tables_page,
    troubleshooting_page,
)
from scripts.screenshots import LARGEST
from secscore_pipeline.cli.main import COMMANDS, main
from secscore_pipeline.config.registry import SETTINGS
from secscore_pipeline.config.setting import Group
from secscore_pipeline_tests.integration import test_kills

ROOT = README.parent
PAGES = {
    str(page.relative_to(ROOT)): page.read_text(encoding="utf-8")
    for page in (README, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted(DOCS.glob("*.md")))
}
FENCE = re.compile(r"^```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`([^`]+)`")
COMMAND = re.compile(
    r"(?:^|&& |\$ |[A-Z_]+=\S+ |-u secscore )(?:\S*/bin/)?secscore (?P<command>[a-z][a-z-]+)(?P<rest>[^#|;>\n]*)",
    re.MULTILINE,
)
"""A call of `secscore` in a piece of code."""


def pieces_of_code(text):
    """Return the blocks of code in a page, and what stands between backticks elsewhere."""
    return FENCE.findall(text) + INLINE.findall(FENCE.sub("", text))


def anchors_of(text):
    """Return the anchors of a page's headings, as GitHub makes them."""
    anchors = set()
    for heading in re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        repeated = (f"{slug}-{count}" for count in range(1, 100))
        anchors.add(slug if slug not in anchors else next(one for one in repeated if one not in anchors))
    return anchors


def test_every_setting_is_explained_in_its_page_and_in_env_example():
    page, example = SETTINGS_PAGE.read_text(), (ROOT / ".env.example").read_text()
    for setting in SETTINGS:
        default = "required" if setting.default is None else f"`{setting.default}`" if setting.default else ""
        assert f"| `{setting.name}` | {setting.meaning} | {setting.kind.values} | {default}".rstrip() in page
        assert setting.help in example
        assert re.search(rf"^(# )?{setting.name}=", example, re.MULTILINE)
    assert example == env_example()
    assert page == settings_page()
    for group in Group:
        assert page.count(f"\n### {group.value}\n") == 1


def test_every_setting_that_a_page_names_exists():
    deployed = "".join(file.read_text() for file in (ROOT / "deploy").rglob("*") if file.is_file())
    known = {setting.name for setting in SETTINGS} | set(re.findall(r"[A-Z]+_[A-Z_]+", deployed))
    named = {name for text in PAGES.values() for name in re.findall(r"\b(?:SECSCORE|AZURE)_[A-Z_]+[A-Z]\b", text)}
    # SECSCORE_EXPORT is the page of settings' example of a name that is none.
    assert named - known == {"SECSCORE_EXPORT"}


@pytest.fixture(scope="module")
def examples_database(tmp_path_factory):
    """The database that the examples are asked of; `pages.json` beside it has the pages with its answers."""
    folder = tmp_path_factory.mktemp("examples")
    code = (
        "import json, pathlib, sys; from scripts.readme import pages_with_examples, render_examples; "
        "folder = pathlib.Path(sys.argv[1]); pages = render_examples(folder / 'demo.duckdb', pages_with_examples()); "
        "(folder / 'pages.json').write_text(json.dumps(pages))"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], cwd=ROOT, check=True, capture_output=True)
    return folder / "demo.duckdb"


@pytest.mark.slow
def test_the_queries_of_the_documents_print_what_they_say(examples_database):
    pages = json.loads((examples_database.parent / "pages.json").read_text())
    assert {"README.md", "docs/query.md"} <= set(pages)
    assert pages == pages_with_examples()


@pytest.mark.slow
def test_the_query_of_the_questions_joins_findings_of_another_product(examples_database, tmp_path):
    other, subscription_id = tmp_path / "other.ndjson", "CB4568B3-3612-5A30-BDF8-457E69577680"
    rows = [{"class_uid": 2003, "severity": "High", "cloud": {"account": {"uid": subscription_id}}} for _ in range(3)]
    other.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (query,) = (block for block in FENCE.findall(PAGES["docs/faq.md"]) if "other.ndjson" in block and "with" in block)
    answer = subprocess.run(
        [sys.executable, "-m", "secscore_pipeline.cli", "query", "--allow", str(other), "--format", "json", query],
        cwd=tmp_path,
        env={**os.environ, "SECSCORE_DATABASE": str(examples_database)},
        check=True,
        capture_output=True,
        text=True,
    )
    (row,) = json.loads(answer.stdout)
    assert (row["subscription_name"], row["other_findings"]) == ("web-dev-cb45", 3)


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_that_a_page_names_exists(page):
    makefile = (ROOT / "Makefile").read_text()
    for piece in pieces_of_code(PAGES[page]):
        for target in re.findall(r"(?:^|[ ;])make ([a-z-]+)", piece, re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", PAGES)
def test_every_secscore_command_that_a_page_names_exists_with_its_options(page):
    commands = {command.name: command.load() for command in COMMANDS}
    context = click.Context(main, **main.context_settings)
    for piece in pieces_of_code(PAGES[page]):
        for found in COMMAND.finditer(piece):
            assert found["command"] in commands, found[0]
            parameters = commands[found["command"]].get_params(click.Context(commands[found["command"]], context))
            options = {name for one in parameters for name in (*one.opts, *one.secondary_opts)}
            given = re.findall(r"(?<!\S)--?[a-z][a-z-]*", re.sub(r"\"[^\"]*\"|'[^']*'", "", found["rest"]))
            assert set(given) <= options, found[0]


def test_the_page_of_the_commands_is_what_their_help_says():
    page = COMMANDS_PAGE.read_text()
    assert page == commands_page()
    for command in COMMANDS:
        section = page.split(f"\n## secscore {command.name}\n")[1].split("\n## ")[0]
        for parameter in command.load().params:
            if isinstance(parameter, click.Option):
                assert all(name in section for name in (*parameter.opts, *parameter.secondary_opts)), parameter.name


def test_the_page_of_failures_is_what_the_catalogue_says():
    assert TROUBLESHOOTING_PAGE.read_text() == troubleshooting_page()


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_somewhere(page):
    prose = INLINE.sub("", FENCE.sub("", PAGES[page]))
    for target in re.findall(r"\]\(([^)]+)\)", prose):
        if not re.match(r"https?://", target):
            path, _, anchor = target.partition("#")
            file = (ROOT / page).parent / path if path else ROOT / page
            assert file.exists(), target
            assert not anchor or anchor in anchors_of(file.read_text(encoding="utf-8")), target


def test_the_index_of_the_documents_has_every_page_and_the_readme_has_the_index():
    linked = set(re.findall(r"\]\(([^)#]+)\)", PAGES["docs/README.md"]))
    assert {file.name for file in DOCS.iterdir() if file.is_file()} - linked == {"README.md"}
    assert "](docs/README.md)" in PAGES["README.md"]


def test_the_glossary_is_in_alphabetical_order_and_has_each_term_once():
    terms = re.findall(r"^\| \*\*(.+?)\*\*", PAGES["docs/glossary.md"], re.MULTILINE)
    assert len(terms) > 30
    assert terms == sorted(set(terms), key=str.casefold)


def test_every_test_that_a_page_names_exists():
    tests = "".join(file.read_text() for file in (ROOT / "secscore_pipeline_tests").rglob("test_*.py"))
    for page, text in PAGES.items():
        named = set(re.findall(r"`(test_\w+)`", text)) - {"test_connection"}  # that is a job of Dagster's
        assert {name for name in named if f"def {name}(" not in tests} == set(), page


def test_every_file_for_deployment_that_a_page_names_exists():
    for text in PAGES.values():
        for piece in pieces_of_code(text):
            for path in re.findall(r"(?<![\w/.])(deploy/[\w./@-]*\w)", piece):
                assert (ROOT / path).exists(), path


def test_contributing_names_every_room_and_every_target_it_names_exists():
    page, makefile = (ROOT / "CONTRIBUTING.md").read_text(), (ROOT / "Makefile").read_text()
    package = ROOT / "secscore_pipeline"
    for room in (path.parent for path in package.glob("*/__init__.py")):
        assert f"`{room.name}/`" in page, room.name
    for module in package.glob("*.py"):
        assert module.stem in page or module.stem == "__init__", module.stem
    for target in set(re.findall(r"(?:^|`)make ([a-z-]+)", page, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in re.findall(r"`(?:secscore_pipeline_tests/)?(?:\w+/)+[\w.]*`", page):
        named = path.strip("`")
        assert (ROOT / named).exists() or (package / named).exists() or named in ("sql/", "integration/"), named


def test_the_changelog_begins_with_what_is_unreleased_and_has_the_version():
    versions = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert versions[1] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_every_picture_that_the_documents_show_exists_says_what_it_is_and_is_small():
    shown = set()
    for page in (README, *DOCS.glob("*.md")):
        for says, path in re.findall(r"!\[(.*?)\]\((.*?)\)", page.read_text()):
            assert says, path
            shown.add((page.parent / path).resolve())
    assert shown == set((DOCS / "images").iterdir())
    assert all(picture.stat().st_size <= LARGEST for picture in shown)
    assert sum(picture.stat().st_size for picture in shown) < 1_000_000


def test_every_dependency_has_its_reason_in_the_readme():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    reasons = README.read_text().split("| dependency | why it is here |")[1]
    for requirement in project["dependencies"]:
        name = re.split(r"[\[<>=]", requirement)[0].lower()
        assert re.search(rf"\b{re.escape(name)}\b", reasons), name


def test_every_test_that_the_reliability_page_names_exists_and_its_kills_are_counted():
    page = (ROOT / "docs" / "reliability.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", page))
    tests = "".join(file.read_text() for file in (ROOT / "secscore_pipeline_tests").rglob("test_*.py"))
    assert len(named) > 30
    assert {name for name in named if f"def {name}(" not in tests} == set()
    kills = {
        "request": test_kills.test_a_run_killed_at_any_request_is_repaired_by_the_next,
        "statement": test_kills.test_a_run_killed_at_any_statement_is_repaired_by_the_next,
        "write": test_kills.test_a_run_killed_in_the_middle_of_a_write_is_repaired_by_the_next,
    }
    counts = {
        name: math.prod(len(list(mark.args[1])) for mark in test.pytestmark if mark.name == "parametrize")
        for name, test in kills.items()
    }
    assert (
        f"{sum(counts.values())} kills: {counts['request']} at a request, {counts['statement']} before or after one of "
        f"DuckDB's statements, {counts['write']} in the middle of a write"
    ) in page


def test_every_claim_of_the_security_page_names_tests_that_exist():
    page = (ROOT / "SECURITY.md").read_text()
    protected = page.split("## What is protected")[1].split("\n## ")[0]
    claims = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in protected.splitlines()
        if line.startswith("| ") and not line.startswith("| claim ")
    ]
    tests = "".join(file.read_text() for file in (ROOT / "secscore_pipeline_tests").rglob("test_*.py"))
    assert len(claims) >= 25
    for claim, mechanism, shown_by in claims:
        named = re.findall(r"`(test_\w+)`", shown_by)
        assert all((claim, mechanism, named)), claim
        assert [name for name in named if f"def {name}(" not in tests] == [], claim


def test_the_lock_has_hashes_and_names_no_index():
    lock = (ROOT / "requirements.lock").read_text()
    assert "--hash=sha256:" in lock
    assert not re.search(r"https?://|--index-url|--find-links|--extra-index-url", lock)
    locked = {line.split("==")[0] for line in lock.splitlines() if re.match(r"[a-z0-9].*==", line)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirement in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        assert re.split(r"[\[<>=]", requirement)[0].lower() in locked


def test_the_page_of_the_tables_is_what_the_catalog_says_and_each_view_and_macro_has_an_example():
    assert TABLES_PAGE.read_text() == tables_page()
    page = PAGES["docs/query.md"]
    examples = "".join(found["sql"] for found in EXAMPLE.finditer(page))
    tables = TABLES_PAGE.read_text()
    views, macros = (
        re.findall(form, tables, re.MULTILINE) for form in (r"^## (posture\.\w+)", r"^\| `(posture\.\w+)\(")
    )
    assert len(views) > 10
    assert len(macros) > 4
    for name in views:
        assert f"`{name}`" in page, name
    for name in (*views, *macros):
        assert re.search(rf"\bfrom {re.escape(name)}\b", examples), name
    assert Path(ROOT / "workspace.yaml").exists()
