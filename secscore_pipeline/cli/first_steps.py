"""Where the demo keeps its data, and the commands to continue with after it, ready to paste."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from secscore_pipeline.config.env_file import read_env
from secscore_pipeline.config.kinds import SettingsError
from secscore_pipeline.config.registry import DEFAULTS
from secscore_pipeline.config.storage import resolve_database_path, resolve_work_path

DEMO_DATABASE = "data/demo.duckdb"
"""Where the demo keeps its data, when SECSCORE_DATABASE names no other place."""

DEMO_REPORT = "data/demo-report.html"

COMMANDS = ("query", "status", "report --open")
"""What to try after the demo."""


def has_only_demo_database(environment: Mapping[str, str]) -> bool:
    """Return whether the demo's database is there, and no other one: none is named, and none is in the usual place.

    A file that runs write counts as one: what a first sync could not read is in it, though it is not published.
    """
    own = resolve_database_path(DEFAULTS["SECSCORE_DATABASE"] or "")
    return (
        not environment.get("SECSCORE_DATABASE", "").strip()
        and not own.exists()
        and not resolve_work_path(environment.get("SECSCORE_WORK_DATABASE", ""), own).exists()
        and resolve_database_path(DEMO_DATABASE).exists()
    )


def list_next_commands(database: str, report: str) -> list[str]:
    """Return the commands to continue with after the demo, each of which works where the demo was started.

    Args:
        database: where the demo put it: what SECSCORE_DATABASE held.
        report: where the demo put it.
    """
    try:
        environment = {**read_env(Path(".env")), **os.environ}
    except SettingsError:  # whatever is wrong with the file is said when it is used
        environment = dict(os.environ)
    command, before = get_own_command(), ""
    if environment.get("SECSCORE_DATABASE", "").strip() != database and not has_only_demo_database(environment):
        before = f"SECSCORE_DATABASE={shlex.quote(database)} SECSCORE_REPORT={shlex.quote(report)} "
    commands = [f"{before}{command} {arguments}" for arguments in COMMANDS]
    here = Path.cwd()
    if Path(os.environ.get("PWD") or here).resolve() != here.resolve():  # as with `make -C`
        commands.insert(0, f"cd {shlex.quote(str(here))}")
    return commands


def get_own_command() -> str:
    """Return how this command line can be called again from the working directory."""
    script = Path(sys.argv[0])
    if not script.name.startswith("secscore") or not script.exists():
        script = Path(sys.executable).with_name("secscore")
    if not script.exists():
        return f"{shlex.quote(sys.executable)} -m secscore_pipeline.cli"
    found = shutil.which("secscore")
    if found and Path(found).samefile(script):
        return "secscore"
    shown = shorten_path(script)
    return shlex.quote(shown if "/" in shown else f"./{shown}")


def shorten_path(path: Path) -> str:
    """Return a path as it is called from the working directory, where it lies below that."""
    absolute, here = path.absolute(), Path.cwd()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(absolute)
