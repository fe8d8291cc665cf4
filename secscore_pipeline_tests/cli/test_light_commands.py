"""What commands import: nothing that they do not need, so that they begin at once; and how they are listed."""

import subprocess
import sys

import pytest

from secscore_pipeline.cli.main import COMMANDS
from secscore_pipeline_tests.conftest import of_files

OF_ASSETS = {"altair", "jinja2", "jsonschema_rs", "msal", "pandas", "psutil", "pyarrow", "requests", "xlsxwriter"}
"""What single assets, checks and processes need: to sign in, to read, to report, to export, to alert, to validate."""

OF_READERS = {"duckdb", "rich"}
"""What commands need that read the database."""

RUN = """
import sys
try:
    {code}
finally:
    sys.stderr.write("imported: " + " ".join({{name.partition(".")[0] for name in sys.modules}}))
"""


def imports(code: str, *arguments: str, **options: object) -> set[str]:
    """Return the packages that a Python process has imported once it has run some code with these arguments."""
    command = [sys.executable, "-c", RUN.format(code=code), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert "Traceback" not in done.stderr, done.stderr
    return set(done.stderr.rpartition("imported: ")[2].split())


def imports_of_command(*arguments: str, **options: object) -> set[str]:
    found = imports("from secscore_pipeline.cli.main import main; main()", *arguments, **options)
    assert "click" in found
    return found


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_the_list_of_the_commands_takes_no_command(argument):
    assert imports_of_command(argument) & {"dagster", "numpy", *OF_ASSETS, *OF_READERS} == set()


def test_the_completion_of_a_command_takes_no_command(monkeypatch):
    for name, text in {"_SECSCORE_COMPLETE": "bash_complete", "COMP_WORDS": "secscore st", "COMP_CWORD": "1"}.items():
        monkeypatch.setenv(name, text)
    code = "from secscore_pipeline.cli.main import main; main(prog_name='secscore')"
    assert imports(code) & {"dagster", "numpy", *OF_ASSETS, *OF_READERS} == set()


@pytest.mark.parametrize("command", [one.name for one in COMMANDS])
def test_the_help_of_a_command_takes_nothing_that_only_its_work_needs(command):
    assert imports_of_command(command, "--help") & {"dagster", "numpy", "duckdb", *OF_ASSETS} == set()


@of_files
@pytest.mark.parametrize(
    "arguments", [("query", "select 1"), ("status",), ("status", "--json"), ("status", "--max-age", "9d")]
)
def test_a_reader_takes_neither_dagster_nor_pandas_nor_http(store, tmp_path, monkeypatch, arguments):
    with store.warehouse.get_connection():
        pass
    store.warehouse.publish()
    for name, text in store.settings.items():
        monkeypatch.setenv(name, text)
    found = imports_of_command(*arguments, cwd=tmp_path)
    assert found & {"dagster", "numpy", *OF_ASSETS} == set()
    assert found >= OF_READERS


def test_the_definitions_take_nothing_that_only_some_assets_need(tmp_path):
    found = imports("import secscore_pipeline.definitions", cwd=tmp_path)
    assert found & (OF_ASSETS | {"numpy"}) == set()
    assert "dagster" in found


@pytest.mark.parametrize("listed", COMMANDS, ids=lambda command: command.name)
def test_the_list_says_of_a_command_what_its_own_help_says(listed):
    command = listed.load()
    assert (command.name, command.hidden) == (listed.name, listed.hidden)
    assert command.callback is not None
    for width in (20, 45, 200):
        assert listed.get_short_help_str(width) == command.get_short_help_str(width)
