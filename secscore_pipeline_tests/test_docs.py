"""The documents are true: every setting, command, query and dependency in them is the real one."""

import math
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scripts.readme import BLOCK, README, TABLES_PAGE, env_example, settings_tables, tables_page
from scripts.screenshots import LARGEST
from secscore_pipeline.config.registry import SETTINGS
from secscore_pipeline_tests.integration import test_kills

ROOT = README.parent


def test_every_setting_is_explained_in_the_readme_and_in_env_example():
    readme, example = README.read_text(), (ROOT / ".env.example").read_text()
    for setting in SETTINGS:
        default = "required" if setting.default is None else f"`{setting.default}`" if setting.default else ""
        assert f"| `{setting.name}` | {setting.meaning} | {setting.kind.values} | {default}".rstrip() in readme
        assert setting.help in example
        assert re.search(rf"^(# )?{setting.name}=", example, re.MULTILINE)
    assert example == env_example()
    assert settings_tables() in readme


@pytest.mark.slow
def test_the_queries_of_the_readme_print_what_it_says(tmp_path):
    code = "from scripts.readme import rendered; import sys; open(sys.argv[1], 'w').write(rendered())"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], cwd=ROOT, check=True, capture_output=True)
    shown = BLOCK.search(README.read_text())
    assert shown is not None
    assert shown[0] == BLOCK.sub(lambda found: found[1] + (tmp_path / "out").read_text() + found[2], shown[0])


def test_every_make_target_the_readme_names_exists():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"\bmake ([a-z]+)", README.read_text())):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


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
    for page in (README, *(ROOT / "docs").glob("*.md")):
        for says, path in re.findall(r"!\[(.*?)\]\((.*?)\)", page.read_text()):
            assert says, path
            shown.add((page.parent / path).resolve())
    assert shown == set((ROOT / "docs" / "images").iterdir())
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


def test_the_page_of_the_tables_is_what_the_catalog_says_and_the_readme_names_the_views():
    assert TABLES_PAGE.read_text() == tables_page()
    readme = README.read_text()
    for name in re.findall(r"^## (posture\.\w+)", TABLES_PAGE.read_text(), re.MULTILINE):
        assert f"`{name}`" in readme, name
    assert Path(ROOT / "workspace.yaml").exists()
